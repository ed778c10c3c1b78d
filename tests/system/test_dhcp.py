"""The machine's address by DHCP: from QEMU's server, and from one by hand that gives, lies, refuses and falls silent."""
import re
import time

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

from conftest import BUILD
from images import HOST_IP, HOST_MAC
from test_sockets import exchange

ADDRESS = "10.0.2.99"


def question(m, kind, seconds=60):
    """The guest's next message of a kind (1 DISCOVER, 3 REQUEST)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = m.nics[0].receive(0.5)
        packet = got and Ether(got)
        if packet and packet.haslayer(DHCP) and ("message-type", kind) in packet[DHCP].options:
            assert (packet[UDP].sport, packet[UDP].dport, packet[BOOTP].op) == (68, 67, 1)
            assert packet[BOOTP].chaddr[:6] == bytes.fromhex(m.nics[0].mac.replace(":", "")) and packet.src == m.nics[0].mac
            return packet
    raise AssertionError(m.text[-2000:])


def answer(m, asked, kind, address=ADDRESS, server=HOST_IP, times=(60, 1, 2), more=(), xid=None, to="ff:ff:ff:ff:ff:ff"):
    lease, renew, rebind = times
    options = [("message-type", kind), ("server_id", server), *more]
    if kind != 6:
        options += [("lease_time", lease), ("renewal_time", renew), ("rebinding_time", rebind), ("subnet_mask", "255.255.255.0"),
                    ("router", HOST_IP), ("name_server", "10.0.2.7")]
    m.nics[0].send(bytes(
        Ether(src=HOST_MAC, dst=to) / IP(src=server, dst="255.255.255.255") / UDP(sport=67, dport=68) /
        BOOTP(op=2, xid=asked[BOOTP].xid if xid is None else xid, yiaddr=address, chaddr=asked[BOOTP].chaddr) /
        DHCP(options=[*options, "end"])))


def option(packet, name):
    return next((o[1] for o in packet[DHCP].options if o[0] == name), None)


def pinged(m, address, seconds):
    """Whether the machine answers there."""
    m.nics[0].drain()
    m.nics[0].send(bytes(Ether(src=HOST_MAC, dst=m.nics[0].mac) / IP(src=HOST_IP, dst=address) / ICMP(id=5) / b"there?"))
    return m.nics[0].find(lambda f: Ether(f).haslayer(ICMP) and Ether(f)[ICMP].type == 0 and Ether(f)[IP].src == address, seconds)


def test_a_lease_is_found_kept_and_lost(machine):
    m = machine(address="ip=dhcp")
    asked = question(m, 1)
    assert (asked[IP].src, asked[IP].dst, asked.dst) == ("0.0.0.0", "255.255.255.255", "ff:ff:ff:ff:ff:ff")
    m.nics[0].send(bytes(Ether(src=HOST_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=HOST_MAC, psrc=HOST_IP, pdst="0.0.0.0")))
    assert not m.nics[0].find(lambda f: Ether(f).haslayer(ARP) and Ether(f)[ARP].op == 2, 0.5)  # no address, no answer
    answer(m, asked, 2, xid=asked[BOOTP].xid ^ 1, address="10.0.2.66")  # another's
    answer(m, asked, 2, address="127.0.0.1")  # no address for a machine
    answer(m, asked, 5, address="10.0.2.67")  # not asked for yet
    answer(m, asked, 2)
    request = question(m, 3)
    assert (option(request, "requested_addr"), option(request, "server_id")) == (ADDRESS, HOST_IP)
    answer(m, request, 6, server="10.0.2.8")  # another server's word
    answer(m, request, 5)
    m.wait_line(rf"netd: {ADDRESS}/24 by DHCP, for 60 s")
    m.up()
    assert pinged(m, ADDRESS, 20)
    renewal = question(m, 3)  # to the server alone
    assert (renewal.dst, renewal[IP].src, renewal[IP].dst, renewal[BOOTP].ciaddr) == (HOST_MAC, ADDRESS, HOST_IP, ADDRESS)
    assert option(renewal, "requested_addr") is None and option(renewal, "server_id") is None
    answer(m, renewal, 5, times=(61, 1, 2), to=m.nics[0].mac)
    renewal = question(m, 3)
    while renewal.dst != "ff:ff:ff:ff:ff:ff":  # it isn't answered: then anybody is asked
        renewal = question(m, 3)
    assert renewal[BOOTP].ciaddr == ADDRESS
    answer(m, renewal, 6)
    m.wait_line("netd: the address is lost")
    assert not pinged(m, ADDRESS, 0.5)
    answer(m, question(m, 1), 2, address="10.0.2.77")
    answer(m, question(m, 3), 5, address="10.0.2.77", times=(1000, 500, 800))
    m.wait_line("netd: 10.0.2.77/24 by DHCP, for 1000 s")
    assert pinged(m, "10.0.2.77", 20) and not pinged(m, ADDRESS, 0.5)


def test_qemus_server_gives_an_address_that_sockets_use(aegisctl):
    port = int(re.search(r"127\.0\.0\.1:(\d+)", aegisctl.ok("run", "--detach", "--append", "ip=dhcp", "--initrd",
                                                             BUILD / "guest/sockets-initrd.cpio"))[1])
    aegisctl.ok("start", "udpecho")
    end = time.monotonic() + 30
    while "udpecho: port 7" not in aegisctl.log():
        assert time.monotonic() < end, aegisctl.log()
        time.sleep(0.05)
    assert "netd: 10.0.2.15/24 by DHCP" in aegisctl.log()
    assert exchange(port, b"by a lease") == b"by a lease"

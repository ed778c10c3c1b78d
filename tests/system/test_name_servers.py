"""Which name servers a machine asks, and in which domains it looks: what DHCP and routers say, played by hand."""
import time

from scapy.layers.dns import DNS, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, \
    ICMPv6NDOptRDNSS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from images import HOST_MAC
from test_dhcp import answer, question
from test_told import lines

ROUTER = "fe80::1"
FOUR, SIX = ["10.0.2.7", "10.0.2.8"], ["2001:db8:1:2::53", "2001:db8:1:2::54"]


def advertisement(server):
    return bytes(Ether(src=HOST_MAC, dst="33:33:00:00:00:01") / IPv6(src=ROUTER, dst="ff02::1", hlim=255) / ICMPv6ND_RA() /
                 ICMPv6NDOptSrcLLAddr(lladdr=HOST_MAC) /
                 ICMPv6NDOptPrefixInfo(prefix="2001:db8:1:2::", prefixlen=64, validlifetime=7200, preferredlifetime=3600) /
                 ICMPv6NDOptRDNSS(**server))


class Network:
    """Neighbours, a router and name servers: the last server answers, the others say that they fail."""

    def __init__(self, nic):
        self.nic, self.asked = nic, []

    def take(self, f):
        p = Ether(f)
        if p.haslayer(ARP) and p[ARP].op == 1:
            self.nic.send(bytes(Ether(src=HOST_MAC, dst=p.src) / ARP(op=2, hwsrc=HOST_MAC, psrc=p[ARP].pdst, hwdst=p.src, pdst=p[ARP].psrc)))
        elif p.haslayer(ICMPv6ND_NS) and p[IPv6].src != "::":
            self.nic.send(bytes(Ether(src=HOST_MAC, dst=p.src) / IPv6(src=p[ICMPv6ND_NS].tgt, dst=p[IPv6].src, hlim=255) /
                                ICMPv6ND_NA(tgt=p[ICMPv6ND_NS].tgt, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=HOST_MAC)))
        elif p.haslayer(DNS) and p[DNS].qr == 0:
            self.serve(p)

    def serve(self, p):
        ip, name = p[IPv6 if p.haslayer(IPv6) else IP], p[DNS].qd.qname.decode()
        kind = {1: "A", 28: "AAAA"}[p[DNS].qd.qtype]
        self.asked.append((ip.dst, name, kind))
        said = DNS(id=p[DNS].id, qr=1, rcode=2, qd=p[DNS].qd)
        if ip.dst == SIX[1] and name == "far.b.test.":
            found = DNSRR(rrname=name, rdata="1.2.3.4") if kind == "A" else None
            said = DNS(id=p[DNS].id, qr=1, qd=p[DNS].qd, an=found)
        elif ip.dst == SIX[1]:
            said.rcode = 3
        self.nic.send(bytes(Ether(src=HOST_MAC, dst=p.src) / type(ip)(src=ip.dst, dst=ip.src) /
                            UDP(sport=53, dport=p[UDP].sport) / said))


def pump(network, done, seconds=60):
    """Plays the network until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, network.asked
        if (frame := network.nic.receive(0.02)) is not None:
            network.take(frame)


def test_each_server_is_asked_that_dhcp_or_a_router_tells_of(machine):
    m = machine(address="ip=dhcp")
    m.nics[0].discovery = True
    told = [("name_server", *FOUR), (119, b"\1a\4test\0\1b\xc0\2")]
    answer(m, question(m, 1), 2, more=told)
    answer(m, question(m, 3), 5, more=told, times=(3600, 1800, 3000))
    m.wait_line("by DHCP")
    m.up()
    network = Network(m.nics[0])
    for servers in ({"dns": ["2001:db8:1:2::52"], "lifetime": 600}, {"dns": SIX, "lifetime": 600},
                    {"dns": ["2001:db8:1:2::52"], "lifetime": 0}):  # the first one is taken back
        m.nics[0].send(advertisement(servers))
    says = lines(m, "host", "far")
    pump(network, lambda: "far has address 1.2.3.4" in m.text)
    says("(environment {env}) has ended")
    asked = list(dict.fromkeys(row[:2] for row in network.asked if row[2] == "A"))  # a slow one is asked again
    assert asked == [(s, "far.a.test.") for s in FOUR + SIX] + [(s, "far.b.test.") for s in FOUR + SIX], network.asked

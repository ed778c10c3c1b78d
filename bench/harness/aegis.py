"""Aegis-V under test: its image, and how an application is set to work over the control protocol."""


FIRST_LINE = "first line"


def kernel(context):
    return context.guest("src/kernel/kernel.elf")


def available(context):
    return kernel(context).exists()


def arguments(context):
    raise NotImplementedError


def start_echo(context, machine):
    raise NotImplementedError

"""Classic BPF programs that drop packets, for `tc filter … bpf da bytecode`. Pure.

They need nothing but the traffic control that every kernel with containers has: neither netem nor nftables.
"""

import ipaddress

# Opcodes: load a word, jump if equal, jump if greater or equal, return.
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
# Where the addresses of an IPv4 packet are in its Ethernet frame, and the kernel's pseudo-place of a random number.
SOURCE, DESTINATION, _RANDOM = 26, 30, 0xFFFFF000 + 56
# What tc makes of the result: go on, or throw away (TC_ACT_UNSPEC, TC_ACT_SHOT).
_PASS, _DROP = 0xFFFFFFFF, 2


def bytecode(addresses, place, loss=0.0):
    """A program that drops packets whose `place` has one of `addresses`, and of the others a share of `loss`."""
    numbers = sorted(int(ipaddress.IPv4Address(address)) for address in addresses)
    program = []
    length = (1 + len(numbers) if numbers else 0) + (2 if loss else 0) + 2
    drop = length - 1
    if numbers:
        program.append((_LOAD, 0, 0, place))
        for number in numbers:
            program.append((_JUMP_EQUAL, drop - len(program) - 1, 0, number))
    if loss:
        program.append((_LOAD, 0, 0, _RANDOM))
        program.append((_JUMP_GREATER_EQUAL, 0, drop - len(program) - 1, int(loss * 0xFFFFFFFF)))
    program += [(_RETURN, 0, 0, _PASS), (_RETURN, 0, 0, _DROP)]
    return f"{len(program)}," + "".join("%d %d %d %d," % instruction for instruction in program)

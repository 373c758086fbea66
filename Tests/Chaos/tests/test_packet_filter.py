"""The programs, run by an interpreter of the four instructions that they use."""

import ipaddress

import pytest

from chaos.packet_filter import DESTINATION, SOURCE, bytecode

PASS, DROP = 0xFFFFFFFF, 2


def run(program, source="10.77.0.1", destination="10.77.0.2", random=0xFFFFFFFF):
    count, *instructions = program.rstrip(",").split(",")
    instructions = [tuple(map(int, instruction.split())) for instruction in instructions]
    assert int(count) == len(instructions)
    words = {SOURCE: int(ipaddress.IPv4Address(source)), DESTINATION: int(ipaddress.IPv4Address(destination))}
    position, accumulator = 0, 0
    while True:
        opcode, jump_true, jump_false, constant = instructions[position]
        position += 1
        if opcode == 0x20:
            accumulator = words.get(constant, random)
        elif opcode == 0x15:
            position += jump_true if accumulator == constant else jump_false
        elif opcode == 0x35:
            position += jump_true if accumulator >= constant else jump_false
        else:
            return constant


@pytest.mark.parametrize("loss", [0, 0.5])
@pytest.mark.parametrize("place", [SOURCE, DESTINATION])
def test_packets_from_or_to_the_given_addresses_are_dropped_and_no_others(place, loss):
    program = bytecode(["10.77.0.7", "10.77.0.8", "10.77.0.9"], place, loss)
    field = "source" if place == SOURCE else "destination"
    for last in (7, 8, 9):
        assert run(program, **{field: f"10.77.0.{last}"}) == DROP
    assert run(program, **{field: "10.77.0.6"}) == PASS


def test_a_share_of_the_packets_is_lost():
    program = bytecode([], DESTINATION, loss=0.25)
    assert run(program, random=0x3FFFFFF0) == DROP
    assert run(program, random=0x40000010) == PASS


def test_an_empty_program_lets_everything_pass():
    assert run(bytecode([], SOURCE)) == PASS

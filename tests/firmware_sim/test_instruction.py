"""Instructions are told apart, and cost what the core's manual says."""

import pytest

from firmware_sim.cycles import cores, cost, table_of
from firmware_sim.instruction import Kind, decode

#: Assembly (for the reader), encoding, kind, registers moved, way out.
KINDS = [
    ("ldr r0, [r1]", "0868", Kind.LOAD, 1, None),
    ("ldrsb r0, [r1, r2]", "8856", Kind.LOAD, 1, None),
    ("ldrd r0, r1, [r2]", "d2e90001", Kind.LOAD, 2, None),
    ("ldm r0!, {r1, r2, r3}", "0ec8", Kind.LOAD, 3, None),
    ("pop {r4, pc}", "10bd", Kind.LOAD, 2, "return"),
    ("str r0, [r1]", "0860", Kind.STORE, 1, None),
    ("strb r0, [r1, r2]", "8854", Kind.STORE, 1, None),
    ("push {r4, r5, lr}", "30b5", Kind.STORE, 3, None),
    ("stm r0!, {r1, r2}", "06c0", Kind.STORE, 2, None),
    ("muls r0, r1, r0", "4843", Kind.MULTIPLY, 0, None),
    ("mla r0, r1, r2, r3", "01fb0230", Kind.MULTIPLY, 0, None),
    ("smlad r0, r1, r2, r3", "21fb0230", Kind.MULTIPLY, 0, None),
    ("smmlar r0, r1, r2, r3", "51fb1230", Kind.MULTIPLY, 0, None),
    ("smlabb r0, r1, r2, r3", "11fb0230", Kind.MULTIPLY, 0, None),
    ("smull r0, r1, r2, r3", "82fb0301", Kind.MULTIPLY, 0, None),
    ("umaal r0, r1, r2, r3", "e2fb6301", Kind.MULTIPLY, 0, None),
    ("udiv r0, r1, r2", "b1fbf2f0", Kind.DIVIDE, 0, None),
    ("sdiv r0, r1, r2", "91fbf2f0", Kind.DIVIDE, 0, None),
    ("b .", "fee7", Kind.BRANCH, 0, "branch"),
    ("bne .", "fed1", Kind.BRANCH, 0, "branch"),
    ("bx lr", "7047", Kind.BRANCH, 0, "jump"),
    ("blx r3", "9847", Kind.BRANCH, 0, "jump"),
    ("cbz r0, .+4", "00b1", Kind.BRANCH, 0, "branch"),
    ("mov pc, r0", "8746", Kind.BRANCH, 0, "jump"),
    ("adds r0, r1, r2", "8818", Kind.OTHER, 0, None),
    ("sxtb16 r0, r1", "2ffa81f0", Kind.OTHER, 0, None),
    ("bic r0, r1", "8843", Kind.OTHER, 0, None),
    ("ssat r0, #8, r1", "01f30700", Kind.OTHER, 0, None),
]


@pytest.mark.parametrize(("text", "code", "kind", "words", "leaves"), KINDS)
def test_an_instruction_is_of_its_class(text, code, kind, words, leaves):
    (found,) = decode(bytes.fromhex(code), 0x1000)
    assert (found.kind, found.words, found.leaves) == (kind, words, leaves)


def test_only_unconditional_branches_always_leave():
    always = {text: decode(bytes.fromhex(code), 0)[0].always for text, code, *_ in KINDS}
    assert {text for text, leaves in always.items() if leaves} == {
        "pop {r4, pc}", "b .", "bx lr", "blx r3", "mov pc, r0",
    }  # fmt: skip


#: Examples of Cortex-M4 TRM r0p1, 3.3.2, and of Cortex-M0+ TRM r0p1, table 3-1.
COSTS = [
    ("cortex-m4", "ldr r0, [r1]; ldr r1, [r2]", "08681168", 3),
    ("cortex-m4", "ldr r0, [r1, r2]; str r0, [r3, #20]", "88585861", 3),
    ("cortex-m4", "ldr r0, [r1, r2]; str r1, [r3, r2]", "88589950", 3),
    ("cortex-m4", "ldr r0, [r1, r5]; ldr r1, [r2]; ldr r2, [r3, #4]", "485911685a68", 4),
    ("cortex-m4", "ldr r0, [r1]; ldr r2, [r0]: the address has just been loaded", "08680268", 4),
    ("cortex-m4", "str r0, [r1]; ldr r2, [r3]: nothing overlaps behind a store", "08601a68", 3),
    ("cortex-m4", "adds r1, r1, r2; ldr r0, [r1]: no forwarding", "89180868", 4),
    ("cortex-m4", "ldm r0!, {r1, r2, r3}", "0ec8", 4),
    ("cortex-m4", "push {r4, r5, lr}", "30b5", 4),
    ("cortex-m0plus", "ldr r0, [r1]; ldr r1, [r2]", "08681168", 4),
    ("cortex-m0plus", "ldm r0!, {r1, r2, r3}", "0ec8", 4),
    ("cortex-m0plus", "muls r0, r1, r0", "4843", 1),
]


@pytest.mark.parametrize(("core", "text", "code", "cycles"), COSTS)
def test_straight_code_costs_what_the_manual_says(core, text, code, cycles):
    assert cost(decode(bytes.fromhex(code), 0), table_of(core)).straight == cycles


@pytest.mark.parametrize(
    ("code", "cycles"), [("fed1", 2), ("fee7", 2), ("7047", 2), ("fff7feff", 3), ("10bd", 5)]
)
def test_a_branch_that_is_taken_costs_the_refill_too(code, cycles):
    """BNE, B, BX, BL, POP {R4, PC} of the Cortex-M0+: 2, 2, 2, 3, 3 + N."""
    assert sum(cost(decode(bytes.fromhex(code), 0), table_of("cortex-m0plus"))) == cycles


def test_every_emulated_core_has_a_table_that_says_where_it_is_from():
    for core in ("cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m33"):
        assert core in cores()
        table = table_of(core)
        assert table.source
        assert table.published == (core in {"cortex-m0plus", "cortex-m4"})

"""A plan goes into a file and comes out again."""

from converter.flatbuffer import parse
from converter.planning.apply import plan_model
from converter.planning.buffers import buffers_of
from converter.planning.offline import plan_in, without_plan
from converter.planning.placement import greedy, height, lower_bound
from converter.probe import probe
from tests.converter.chain import BOUND, GREEDY, chain


def test_the_chain_is_what_it_says():
    buffers = buffers_of(parse(chain()))
    assert (height(buffers, greedy(buffers)), lower_bound(buffers)) == (GREEDY, BOUND)
    assert probe(chain()).head == GREEDY


def test_a_plan_can_be_taken_out_again():
    planned, report = plan_model(chain())
    assert report.applied
    assert (report.greedy_head, report.head, report.lower_bound) == (GREEDY, BOUND, BOUND)
    bare = without_plan(planned)
    assert plan_in(bare) is None
    assert probe(bare) == report.before
    assert probe(planned) == report.after
    assert without_plan(bare) == bare

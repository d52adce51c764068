"""What the routers log is told as stages: lines of nextpnr 0.11.1, as it wrote them."""

from wingrid.host.silicon.router_progress import stages


def told(*lines: str) -> list[str]:
    heard: list[str] = []
    hears = stages(heard.append)
    for line in lines:
        hears(line)
    return heard


def test_placing_and_routing_are_told_as_they_get_on() -> None:
    assert told(
        "Info: Packing LUTs...",
        "Info:     3300 FFs paired with LUTs.",
        "Info: 	        TRELLIS_COMB:   10294/  24288    42%",
        "Info: Creating initial analytic placement for 7235 cells, random placement wirelen = 548036.",
        "Info:     at initial placer iter 0, wirelen = 3825",
        "Info:     at iteration #12, type ALL: wirelen solved = 37866, spread = 56691, legal = 68178; time = 2.15s",
        "Info: Running simulated annealing placer for refinement.",
        "Info:   at iteration #5: temp = 0.000000, timing cost = 359, wirelen = 59507",
        "Info: Routing globals...",
        "Info: Routing 48140 arcs.",
        "Info:    IterCnt |  w/ripup   wo/ripup |  w/r  wo/r |      arcs| batch(sec) total(sec)|",
        "Info:      10000 |      461       9538 |   59   941 |     38949|       2.20      18.03|",
        "Info:      55673 |     4932      48371 |   24   631 |         0|       1.25     175.04|",
        "Warning: something",
    ) == [
        "packing",
        "placing",
        "placing, iteration 12",
        "refining the placement",
        "refining the placement, iteration 5",
        "routing clocks",
        "routing",
        "routing, 19% of 48,140 wires",
        "routing, 100% of 48,140 wires",
    ]


def test_routing_by_negotiation_is_told_by_what_is_taken_twice() -> None:
    line = "Info:     iter=7 wires=67123 overused=31 overuse=33 archfail=NA"
    assert told(line) == ["routing, iteration 7, 31 wires taken twice"]

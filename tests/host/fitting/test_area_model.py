"""Logic as predicted is near what synthesis took, and multipliers are exact."""

import pytest

from wingrid.host.errors import UserError
from wingrid.host.fitting import area_model
from wingrid.host.silicon import area_points
from wingrid.host.silicon.target import find_target

POINTS = area_points.read()


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.family}-{point.config.rows}x{point.config.cols}")
def test_multipliers_are_those_of_the_netlist(point: area_points.AreaPoint) -> None:
    assert area_model.multipliers(point.config) == point.counts["multipliers"]


@pytest.mark.parametrize("family", area_model.known_families())
def test_no_point_is_far_from_what_the_others_predict(family: str) -> None:
    assert 0 < area_model.worst_error(family) < 0.15


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.family}-{point.config.rows}x{point.config.cols}")
def test_points_themselves_are_met(point: area_points.AreaPoint) -> None:
    predicted = area_model.predicted_area(point.config, point.family).logic
    assert predicted == pytest.approx(area_model.logic_of(point), rel=0.06)


def test_a_family_without_points_is_refused() -> None:
    with pytest.raises(UserError, match="of the family gw2a no areas were synthesised"):
        area_model.require_family(find_target("gw2a-18"))

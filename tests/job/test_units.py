"""Content keys: they change with what can change an answer, and with nothing else."""

from pathlib import Path

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.datasets import load_dataset
from bnnray.errors import JobError
from bnnray.job import check_job, load_job, make_units, searches
from bnnray.job.mask import Rectangle, masked_pixels
from bnnray.models import load_model

JOB = """
name = "keys"
[data]
dataset = "mnist"
points = 2
[[model]]
name = "net"
path = "unused.bnn"
[threat]
epsilon = "1/255"
[[attack]]
kind = "pgd"
[[attack]]
kind = "milp"
warm_start = { kind = "pgd" }
"""


@pytest.fixture(scope="module")
def data(real_data):
    return load_dataset("mnist", "test", real_data)


@pytest.fixture(scope="module")
def nets(networks: Path):
    return {name: load_model(networks / f"mnist_{name}.bnn").network for name in ("2x100", "5x100")}


@pytest.fixture
def units_of(tmp_path, data, nets):
    def make(*overrides: str, network: str = "2x100"):
        path = tmp_path / "job.toml"
        path.write_text(JOB)
        return make_units(load_job(path, overrides).job, data, {"net": nets[network]})

    return make


def keys(units):
    return [unit.key for unit in units]


def test_every_key_is_its_own(units_of):
    found = keys(units_of("threat.epsilon=['1/255', '2/255']"))
    assert len(set(found)) == len(found) == 2 * 2 * 2


def test_a_question_is_shared_by_its_attacks(units_of):
    units = units_of()
    assert len({u.question for u in units}) == 2
    assert {u.question for u in units if u.attack.kind == "pgd"} == {
        u.question for u in units if u.attack.kind == "milp"
    }


@pytest.mark.parametrize(
    "override",
    [
        "attack.milp.time_limit=99s",
        "attack.milp.backend=highs",
        "attack.milp.warm_start.time_limit=9s",
        "attack.pgd.time_limit=1h",
        "resources.cpus_per_solve=2",
    ],
)
def test_limits_back_ends_and_resources_do_not_change_a_key(units_of, override):
    assert keys(units_of(override)) == keys(units_of())


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "threat.epsilon='2/255'",
        "threat.domain=grid",
        "threat.goal=any",
        "threat.against=label",
        "threat.tie=flip",
        "threat.max_pixels=7",
        "threat.mask={top=1, left=1, height=9, width=9}",
    ],
)
def test_the_threat_and_the_seed_change_every_key(units_of, override):
    assert not set(keys(units_of(override))) & set(keys(units_of()))


def test_a_family_has_every_region_of_a_point_and_nothing_else(units_of):
    def families(*overrides: str) -> set[str]:
        return {unit.family for unit in units_of("threat.domain='grid'", *overrides)}

    plain = families("threat.epsilon=['1/255', 0.01]")
    assert len(plain) == 2
    assert families("threat.domain='box'") == plain
    assert families("threat.levels=510") == plain
    for other in ("goal='any'", "tie='flip'", "against='label'", "max_pixels=3"):
        assert families(f"threat.{other}").isdisjoint(plain)


def test_settings_that_came_later_leave_older_keys_as_they_are(units_of):
    """These are keys of the first version: rows that people have are still found."""
    assert keys(units_of()) == [
        "0ea550520f89d89033acb83ed08a1b98",
        "2bfe6c10781d7edf7676e144f66e1750",
        "7d9a426878969395e91c6529043ffece",
        "b0a0c524c5047d90c8dfadfcf47e4ab1",
    ]


def test_a_mask_is_its_pixels_whatever_names_them(units_of, tmp_path):
    may = np.zeros((28, 28), dtype=bool)
    may[3:5, 4:7] = True
    np.save(tmp_path / "mask.npy", may)
    rectangle = units_of("threat.mask={top=3, left=4, height=2, width=3}")
    assert rectangle[0].threat.mask == {88, 89, 90, 116, 117, 118}
    assert keys(rectangle) == keys(units_of(f"threat.mask={tmp_path}/mask.npy"))
    assert not set(keys(rectangle)) & set(
        keys(units_of("threat.mask={top=3,left=4,height=3,width=2}"))
    )


def test_a_mask_of_a_colour_image_holds_every_channel():
    rectangle = Rectangle(top=0, left=1, height=1, width=1)
    assert masked_pixels(rectangle, (2, 2, 3)) == {3, 4, 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.ones((28, 28)), r"a boolean array of the image's shape \(28, 28\); .* has float64"),
        (np.ones(784, dtype=bool), r"has bool of shape \(784,\)"),
        (np.zeros((28, 28), dtype=bool), "at least one pixel that may change"),
        (np.array([None]), "expected an array that numpy.save wrote"),
        (b"what", "expected an array that numpy.save wrote"),
        (b"", "expected an array that numpy.save wrote"),
        (None, "no file .*mask.npy; numpy.save writes one"),
    ],
)
def test_a_mask_file_that_does_not_fit_is_one_line(units_of, tmp_path, content, message):
    path = tmp_path / "mask.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(JobError, match=f"^threat.mask: .*{message}") as caught:
        units_of(f"threat.mask={path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "mask", ["top=27,left=0,height=2,width=1", "top=0,left=0,height=1,width=29"]
)
def test_a_rectangle_outside_the_image_is_one_line(units_of, mask):
    with pytest.raises(JobError, match=r"^threat\.mask: .* 28 rows and 28 columns; got rows"):
        units_of(f"threat.mask={{{mask}}}")


@pytest.mark.parametrize(
    "override",
    [
        "attack.milp.stop=flip",
        "attack.milp.warm_start.restarts=3",
        "attack.milp.warm_start={repeat=true, time_limit='1s'}",
        "attack.milp.formulation=paper",
        "attack.milp.minimize=l1",
        "attack.milp.name=other",
    ],
)
def test_an_attacks_settings_change_its_keys_only(units_of, override):
    before, after = units_of(), units_of(override)
    for old, new in zip(before, after, strict=True):
        assert (old.key == new.key) == (old.attack.kind == "pgd")


def test_repeat_changes_the_keys_of_pgd_only(units_of):
    for old, new in zip(units_of(), units_of("attack.pgd.repeat=true"), strict=True):
        assert (old.key == new.key) == (old.attack.kind == "milp")


def test_keys_of_older_versions_still_hold(units_of):
    """Rows of run folders are found by these: they may change only with KEY_VERSION."""
    assert keys(units_of()) == [
        "0ea550520f89d89033acb83ed08a1b98",
        "2bfe6c10781d7edf7676e144f66e1750",
        "7d9a426878969395e91c6529043ffece",
        "b0a0c524c5047d90c8dfadfcf47e4ab1",
    ]


CASCADE = """
[[attack]]
kind = "cascade"
stages = [
  { kind = "pgd", time_limit = "2s" },
  { kind = "milp", warm_start = { kind = "pgd", time_limit = "1s" } },
]
"""


@pytest.fixture
def cascade_keys(tmp_path, data, nets):
    def make(*overrides: str):
        path = tmp_path / "job.toml"
        path.write_text(JOB[: JOB.index("[[attack]]")] + CASCADE)
        given = [f"attack.cascade.{override}" for override in overrides]
        return keys(make_units(load_job(path, given).job, data, {"net": nets["2x100"]}))

    return make


@pytest.mark.parametrize(
    "override",
    [
        "time_limit=99s",
        "stages.pgd.time_limit=9s",
        "stages.milp.time_limit=9s",
        "stages.milp.backend=highs",
        "stages.milp.warm_start.time_limit=2s",
        "stages.pgd.repeat=false",
    ],
)
def test_limits_and_back_ends_of_stages_do_not_change_a_key(cascade_keys, override):
    assert cascade_keys(override) == cascade_keys()


@pytest.mark.parametrize(
    "override",
    [
        "name=other",
        "stop=flip",
        "stages.pgd.restarts=3",
        "stages.pgd.repeat=true",
        "stages.pgd.name=first",
        "stages.milp.formulation=paper",
        "stages.milp.warm_start.restarts=3",
        "stages=[{kind='pgd'}]",
        "stages=[{kind='milp', warm_start={kind='pgd'}}, {kind='pgd'}]",
    ],
)
def test_the_settings_and_the_order_of_stages_change_a_key(cascade_keys, override):
    assert not set(cascade_keys(override)) & set(cascade_keys())


def test_the_network_changes_every_key(units_of):
    assert not set(keys(units_of(network="5x100"))) & set(keys(units_of()))


def test_seeds_come_from_keys(units_of):
    units = units_of()
    assert len({u.seed for u in units}) == len(units)
    assert all(0 <= u.seed < 2**63 for u in units)


def test_points_by_number_and_correct_ones(units_of, data, nets):
    units = units_of("data.points=[7, 3]")
    assert [u.point for u in units[:2]] == [7, 3]
    wrong = [
        p
        for p in range(300)
        if nets["2x100"].predict(data.pixels(p)[None, :], 255)[0] != data.labels[p]
    ]
    assert wrong
    chosen = [u.point for u in units_of("data.points=200", "data.select=correct")[:200]]
    assert len(chosen) == 200
    assert not set(chosen) & set(wrong)


def test_classes_change_every_key(tmp_path, real_data):
    """Also their order alone, for a network that fits both: rows hold labels."""
    network = random_network(
        np.random.default_rng(3), Size(pixels=784, hidden=(5,), classes=2, levels=255), nasty=False
    )
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    found: list[str] = []
    for classes in ([3, 8], [8, 3], [3, 5]):
        job = load_job(path, [f"data.classes={classes}"]).job
        data = load_dataset("mnist", "test", real_data, classes)
        found += keys(make_units(job, data, {"net": network}))
    assert len(set(found)) == len(found) == 3 * 4


def test_what_the_restricted_data_does_not_have(tmp_path, real_data):
    data = load_dataset("mnist", "test", real_data, [3, 8])
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    classes = "data.classes=[3, 8]"
    check_job(load_job(path, [classes, "data.points=1984", "threat.goal=1"]).job, data)
    with pytest.raises(JobError, match=r"mnist\[3,8\] test has 1984 points; got 1985"):
        check_job(load_job(path, [classes, "data.points=1985"]).job, data)
    with pytest.raises(JobError, match=r"mnist\[3,8\] has classes 0 to 1; got 3"):
        check_job(load_job(path, [classes, "threat.goal=3"]).job, data)


def test_points_that_are_not_there(units_of):
    with pytest.raises(JobError, match=r"points 0 to 9999; got 10000"):
        units_of("data.points=[10000]")
    with pytest.raises(JobError, match="has 10000 points; got 10001"):
        units_of("data.points=10001")
    with pytest.raises(JobError, match=r"mnist has classes 0 to 9; got 10"):
        units_of("threat.goal=10")


def test_equal_networks_are_refused(tmp_path, data, nets):
    path = tmp_path / "job.toml"
    path.write_text(JOB.replace("[threat]", '[[model]]\nname = "twin"\npath = "x.bnn"\n[threat]'))
    twins = {"net": nets["2x100"], "twin": nets["2x100"]}
    with pytest.raises(JobError, match="'net' and 'twin' are the same network"):
        make_units(load_job(path).job, data, twins)


@pytest.mark.parametrize("levels", [256, 255 * 1000])
def test_a_grid_without_the_clean_image_is_refused(units_of, levels):
    with pytest.raises(JobError, match=r"threat\.levels: expected a multiple of the 255 levels"):
        units_of("threat.domain=grid", f"threat.levels={levels}")


def test_units_of_one_search_are_found_together(units_of):
    units = units_of("data.points=5", "threat.epsilon=['1/255', '2/255']")
    found = searches(units)
    assert [len(search) for search in found] == [5] * 4
    assert [unit for search in found for unit in search] == units
    for search in found:
        assert len({(u.attack.name, u.threat.epsilon) for u in search}) == 1

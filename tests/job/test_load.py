"""A job file's mistakes are one line: the file, the key, what was expected, what came."""

from fractions import Fraction
from pathlib import Path

import pytest
import tomli_w

from bnnray.errors import JobError
from bnnray.job import load_job
from bnnray.network import Quantizer, Rounding

JOBS = Path(__file__).parents[2] / "jobs"

GOOD = """
name = "tiny"
[data]
dataset = "digits"
points = [3, 1]
[[model]]
name = "a"
hidden = [10]
[[model]]
name = "b"
path = "b.bnn"
[threat]
epsilon = ["1/16", 0.1]
[[attack]]
kind = "pgd"
[[attack]]
kind = "milp"
name = "slow"
time_limit = "3min"
warm_start = { kind = "pgd", time_limit = "5s" }
[[attack]]
kind = "iprop"
"""


@pytest.fixture
def job_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "job.toml"
        path.write_text(text)
        return path

    return write


def test_reads_a_good_job(job_file):
    job = load_job(job_file(GOOD)).job
    assert job.threat.epsilon == [Fraction(1, 16), Fraction(1, 10)]
    assert [a.name for a in job.attack] == ["pgd", "slow", "iprop"]
    assert job.attack[1].time_limit == 180
    assert job.attack[1].warm_start.time_limit == 5


def test_what_it_writes_it_reads(job_file):
    job = load_job(job_file(GOOD), ["data.classes=[8, 3]"]).job
    assert job.data.classes == [8, 3]
    assert load_job(job_file(tomli_w.dumps(job.dump()))).job == job


@pytest.mark.parametrize("mask", ["{top=1, left=2, height=3, width=4}", "some/patch.npy"])
def test_a_mask_is_written_as_it_was_given(job_file, mask):
    loaded = load_job(job_file(GOOD), [f"threat.mask={mask}", "threat.max_pixels=3"])
    written = loaded.job.dump()
    assert load_job(job_file(tomli_w.dumps(written))).job == loaded.job
    places = {place: value for place, value, _ in loaded.values()}
    assert places["threat.max_pixels"] == 3
    if "{" in mask:
        assert ("threat.mask.top", 1, "flag") in list(loaded.values())
        assert places["threat.mask.height"] == 3
    else:
        assert (places["threat.mask"], loaded.job.threat.mask) == (mask, Path(mask))


def test_the_smallest_perturbation_is_written_as_it_was_given(job_file):
    smallest = "attack.slow.minimize=l1"
    job = load_job(job_file(GOOD), [smallest]).job
    assert job.attack[1].minimize == "l1"
    assert load_job(job_file(tomli_w.dumps(job.dump()))).job == job
    with pytest.raises(JobError, match=r"attack\[1\]: minimize and stop = .* contradict") as caught:
        load_job(job_file(GOOD), [smallest, "attack.slow.stop=flip"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.toml")), ids=lambda p: p.name)
def test_every_job_that_comes_along_is_valid(path):
    assert load_job(path).job.name == path.stem


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("attack.slow.tim_limit=3s", r"attack\[1\]\.tim_limit: unknown key.*did you mean 'time_l"),
        ("attack.slow.time_limit=3 ells", r"time_limit: expected a duration.*got '3 ells'"),
        ("attack.slow.time_limit=-1", r"time_limit: .*greater than 0; got -1"),
        ("attack.slow.time_limit=true", r"time_limit: .*; got True"),
        ("attack.slow.backend=cplex", r"backend: .*'auto', 'highs' or 'gurobi'; got 'cplex'"),
        ("attack.slow.warm_start.steps=1", r"attack\[1\]\.warm_start\.steps: unknown key"),
        ("attack.pgd.restarts=0", r"attack\[0\]\.restarts: .*at? least|greater.*got 0"),
        ("attack.pgd.restarts=2.5", r"restarts: .*integer; got 2\.5"),
        ("attack.pgd.repeat=1", r"repeat: .*boolean; got 1"),
        ("attack.pgd.iterations='ten'", r"iterations: .*integer; got 'ten'"),
        ("attack.pgd.surrogate=sigmoid", r"surrogate: .*got 'sigmoid'"),
        ("attack.iprop.step=0", r'step: expected "adaptive" or a whole number from 1 on; got 0'),
        ("attack.iprop.step=big", r'step: expected "adaptive" or a whole number.*got \'big\''),
        ("attack.iprop.step=2.5", r'step: expected "adaptive" or a whole number.*got 2\.5'),
        ("attack.iprop.subproblem_patience=soon", r'expected "off", or a duration.*got \'soon\''),
        ("attack.iprop.subproblem_patience=0", r'expected "off", or a duration.*got 0'),
        ("attack.iprop.subproblem_time_limit=0s", r"subproblem_time_limit: .*greater than 0"),
        ("attack.iprop.record=1", r"record: .*boolean; got 1"),
        ("attack.iprop.warm_start.stop=flip", r"a warm start ends where its attack does"),
        ("attack.iprop.warm_start={repeat=true}", r"warm start that repeats to end before .*1min"),
        ("attack.pgd.restarts=99999999999", r"restarts: .*less than or equal to 2147483647"),
        ("attack.fgsm.restarts=2", r"unknown attack 'fgsm'; valid: iprop, pgd, slow"),
        ("attack.pgd.kind=fgsm", r"attack\[0\]\.kind: unknown kind of attack 'fgsm'"),
        ("attack.slow.name=pgd", r"two entries of \[\[attack\]\] are named 'pgd'"),
        ("model.b.name=a", r"two entries of \[\[model\]\] are named 'a'"),
        ("model.b.hidden=[3]", r"model\[1\]: a model needs either hidden"),
        ("model.a.hidden=[]", r"model\[0\]\.hidden: .*at least 1"),
        ("model.a.hidden=[10, 0]", r"model\[0\]\.hidden\[1\]: .*got 0"),
        ("model.a.train.epoch=3", r"model\[0\]\.train\.epoch: unknown key.*did you mean 'epochs'"),
        ("model.a.name='x y'", r"model\[0\]\.name: expected letters.*got 'x y'"),
        ("model.a.quantize=0.3", r"model\[0\]\.quantize: .* 1 divided by a whole .*; got 0\.3"),
        ("model.a.quantize=true", r"model\[0\]\.quantize: .*; got True"),
        ("model.a.rounding=floor", r"model\[0\]: rounding only means something with quantize"),
        ("model.b.quantize=0.1", r"model\[1\]: a model with a path .* leave out quantize"),
        ("data.dataset=mnits", r"data\.dataset: unknown data set 'mnits'; did you mean 'mnist'"),
        ("data.split=valid", r"data\.split: .*got 'valid'"),
        ("data.classes=[3]", r"data\.classes: expected at least two different labels.*got \[3\]"),
        ("data.classes=[3, 3]", r"data\.classes: expected at least two different labels"),
        ("data.classes=[-1, 3]", r"data\.classes: expected .* labels from 0 on; got \[-1, 3\]"),
        ("data.classes=[3, '8']", r"data\.classes\[1\]: .*integer; got '8'"),
        ("data.classes=3", r"data\.classes: .*list; got 3"),
        ("data.points=0", r"data\.points: .*got 0"),
        ("data.points=true", r"data\.points: .*got True"),
        ("data.points=[]", r"data\.points: expected at least one point"),
        ("data.points=[1, 1]", r"data\.points: expected different numbers"),
        ("data.select=right", r"data\.select: .*got 'right'"),
        ("threat.epsilon=1.5", r"threat\.epsilon\[0\]: epsilon must be a number from 0 to 1"),
        ("threat.epsilon=-0.1", r"epsilon must be a number from 0 to 1"),
        ("threat.epsilon=[]", r"threat\.epsilon: .*at least 1"),
        ("threat.epsilon=[0.1, '1/10']", r"threat: epsilon lists a budget twice"),
        ("threat.domain=cube", r"threat\.domain: .*'box' or 'grid'; got 'cube'"),
        ("threat.levels=16", r"levels only mean something with domain = \"grid\""),
        ("threat.goal=second", r"threat\.goal: goal must be .*got 'second'"),
        ("threat.max_pixels=0", r"threat\.max_pixels: .*got 0"),
        ("threat.mask=3", r"threat\.mask: expected a table with top.*or a file's path; got 3"),
        ("threat.mask={top=1}", r"threat\.mask\.left: expected a value; it is missing"),
        ("threat.mask={tob=1}", r"threat\.mask\.tob: unknown key 'tob'; did you mean 'top'"),
        ("threat.mask.top=-1", r"threat\.mask\.top: .*greater.*got -1"),
        ("threat.norm=l2", r"threat\.norm: .*'linf'; got 'l2'"),
        ("seed=-1", r"seed: .*got -1"),
        ("name='../x'", r"name: expected letters"),
        ("modle=3", r"modle: unknown key 'modle'; did you mean 'model'"),
        ("attack=3", r"attack: .*list.*got 3"),
        ("data=3", r"data: .*got 3"),
        ("resources.cpus_per_solve=0", r"resources\.cpus_per_solve: .*got 0"),
        ("attack.slow.formulation=loose", r"formulation: .*'tight' or 'paper'; got 'loose'"),
        ("attack.slow.minimize=l2", r"attack\[1\]\.minimize: .*'linf' or 'l1'; got 'l2'"),
        ("data.points.x=3", r"data\.points is a value, not a table"),
        ("nonsense", r"--set takes place=value"),
    ],
)
def test_mistakes_are_one_line(job_file, override, message):
    with pytest.raises(JobError, match=message) as caught:
        load_job(job_file(GOOD), [override])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_papers_form_on_the_grid_is_refused(job_file):
    form = "attack.slow.formulation=paper"
    assert load_job(job_file(GOOD), [form]).job.attack[1].formulation == "paper"
    with pytest.raises(JobError, match=r"toml: attack 'slow': formulation = \"paper\" is for") as e:
        load_job(job_file(GOOD), [form, "threat.domain=grid"])
    assert "\n" not in str(e.value)
    assert "got domain" in str(e.value)


@pytest.mark.parametrize("setting", ["attack.slow.formulation=paper", "attack.slow.minimize=linf"])
def test_what_a_quantizer_rules_out_is_refused(job_file, setting):
    load_job(job_file(GOOD), [setting])
    with pytest.raises(JobError, match=r"toml: attack 'slow': .* begins? with a quantizer") as e:
        load_job(job_file(GOOD), [setting, "model.a.quantize=0.1"])
    assert "\n" not in str(e.value)


def test_a_quantizer_is_written_as_it_was_given(job_file):
    given = ["model.a.quantize=0.1", "model.a.rounding=floor"]
    job = load_job(job_file(GOOD), given).job
    assert job.model[0].quantizer == Quantizer(10, Rounding.FLOOR)
    assert job.model[1].quantizer is None
    assert job.dump()["model"][0]["quantize"] == "0.1"
    assert load_job(job_file(tomli_w.dumps(job.dump()))).job == job


@pytest.mark.parametrize("missing", ["name", "dataset", "epsilon", "[threat]"])
def test_missing_keys_are_named(job_file, missing):
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(missing))
    with pytest.raises(JobError, match=r"expected a value; it is missing|unknown key"):
        load_job(job_file(text))


def test_no_file_and_no_toml(tmp_path, job_file):
    with pytest.raises(JobError, match="no job file"):
        load_job(tmp_path / "none.toml")
    with pytest.raises(JobError, match="not valid TOML"):
        load_job(job_file("name = "))
    with pytest.raises(JobError, match="cannot read"):
        load_job(tmp_path)


def test_origins_of_values(job_file):
    loaded = load_job(job_file(GOOD), ["attack.slow.time_limit=30s", "seed=4"])
    origins = {place: (value, origin) for place, value, origin in loaded.values()}
    assert origins["attack.slow.time_limit"] == ("30s", "flag")
    assert origins["seed"] == (4, "flag")
    assert origins["data.dataset"] == ("digits", "job")
    assert origins["data.split"] == ("test", "default")
    assert origins["attack.slow.warm_start.time_limit"] == ("5s", "job")
    assert origins["attack.slow.warm_start.restarts"] == (10, "default")


@pytest.mark.parametrize(
    ("given", "read", "written"),
    [
        ("2GiB", 2**31, "2GiB"),
        ("1.5 GiB", 3 * 2**29, "1536MiB"),
        ("700MB", 700_000_000, "700000000B"),
        ("unlimited", "unlimited", "unlimited"),
    ],
)
def test_memory_is_a_size(job_file, given, read, written):
    path = job_file(GOOD + f'[resources]\nmemory_per_solve = "{given}"\n')
    resources = load_job(path).job.resources
    assert resources.memory_per_solve == read
    assert load_job(path).job.dump()["resources"]["memory_per_solve"] == written


@pytest.mark.parametrize("given", ['"2 gigs"', "2", "true", '"100MiB"', '"-1GiB"', '"1e3GiB"'])
def test_memory_that_is_no_size_is_one_line(job_file, given):
    path = job_file(GOOD + f"[resources]\nmemory_per_solve = {given}\n")
    with pytest.raises(JobError, match=r"resources\.memory_per_solve: expected .*such as"):
        load_job(path)


@pytest.mark.parametrize(
    ("given", "tokens", "keep"), [("4", 4, False), ('"unlimited"', None, True)]
)
def test_licences_are_a_number_or_unlimited(job_file, given, tokens, keep):
    path = job_file(GOOD + f'[resources]\ngurobi_tokens = {given}\non_no_licence = "fail"\n')
    job = load_job(path).job
    assert job.resources.tokens == tokens
    assert (job.resources.licence.keep, job.resources.licence.wait) == (keep, False)
    resources = job.dump()["resources"]
    assert (resources["gurobi_tokens"], resources["on_no_licence"]) == (
        tokens or "unlimited",
        "fail",
    )


def test_without_a_word_licences_are_unlimited_and_waited_for(job_file):
    resources = load_job(job_file(GOOD)).job.resources
    assert (resources.gurobi_tokens, resources.on_no_licence) == ("unlimited", "wait")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gurobi_tokens = 0", 'gurobi_tokens: expected "unlimited" or a whole number from 1 on'),
        ("gurobi_tokens = 1.5", "whole number from 1 on; got 1.5"),
        ("gurobi_tokens = true", "whole number from 1 on; got True"),
        ('gurobi_tokens = "4"', "whole number from 1 on; got '4'"),
        ('on_no_licence = "hope"', "on_no_licence: input should be 'wait' or 'fail'; got 'hope'"),
    ],
)
def test_licences_that_cannot_be_are_one_line(job_file, line, message):
    with pytest.raises(JobError) as raised:
        load_job(job_file(GOOD + f"[resources]\n{line}\n"))
    assert message in str(raised.value)


CASCADE = (
    GOOD
    + """
[[attack]]
kind = "cascade"
time_limit = "2min"
stages = [
  { kind = "pgd", repeat = true, time_limit = "2s" },
  { kind = "iprop", name = "short", time_limit = "9s" },
  { kind = "milp", warm_start = { kind = "pgd", time_limit = "1s" } },
]
"""
)


def test_a_cascade_is_written_as_it_was_given(job_file):
    short = "attack.cascade.stages.short.time_limit=4s"
    loaded = load_job(job_file(CASCADE), [short, "attack.cascade.stop=flip"])
    stages = loaded.job.attack[-1].stages
    assert [s.name for s in stages] == ["pgd", "short", "milp"]
    assert [s.time_limit for s in stages] == [2, 4, 120]
    assert stages[2].warm_start.time_limit == 1
    values = {place: (value, origin) for place, value, origin in loaded.values()}
    assert values["attack.cascade.stages.short.time_limit"] == ("4s", "flag")
    assert values["attack.cascade.stages.pgd.repeat"] == (True, "job")
    assert values["attack.cascade.stages.milp.time_limit"] == ("2min", "default")
    assert not any(place.endswith(("milp.stop", "milp.minimize")) for place in values)
    again = load_job(job_file(tomli_w.dumps(loaded.job.dump()))).job
    assert again == loaded.job
    assert again.attack[-1].model_dump() == loaded.job.attack[-1].model_dump()


def test_a_cascade_without_stages_is_written_with_those_that_it_has(job_file):
    job = load_job(job_file(GOOD + '[[attack]]\nkind = "cascade"\n')).job
    assert [s.kind for s in job.attack[-1].stages] == ["pgd", "exact", "lns", "exact"]
    assert load_job(job_file(tomli_w.dumps(job.dump()))).job == job


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages=[]", r"attack\[3\]\.stages: expected a list of stages, one at least"),
        ("stages=3", r"attack\[3\]\.stages: expected a list of stages, one at least; got 3"),
        ("stages=[3]", r"attack\[3\]\.stages\[0\]: expected a table with a kind, one of .*; got 3"),
        (
            "stages=[{time_limit='1s'}]",
            r"stages\[0\]: expected a table with a kind, one of pgd, i",
        ),
        ("stages.short.kind=fgsm", r"stages\[1\]: unknown kind of stage 'fgsm'; valid: exact, "),
        ("stages.short.kind=cascade", r"stages\[1\]: a cascade cannot be a stage; list its stages"),
        ("stages.short.stop=flip", r"stages\[1\]: the cascade's stop holds for all its stages"),
        ("stages.milp.stop=optimum", r"stages\[2\]: the cascade's stop holds for all its stages"),
        ("stages.milp.minimize=l1", r"stages\[2\]: a cascade looks for the largest objective"),
        ("minimize=l1", r"attack\[3\]\.minimize: unknown key 'minimize'; .*valid: kind, name, sta"),
        ("stages.milp.name=pgd", r"attack\[3\]: two stages are named 'pgd'; give each its own"),
        (
            "stages.milp.name=intervals",
            r"two stages are named 'intervals' \(so is what comes first",
        ),
        (
            "stages.pgd.restart=3",
            r"stages\[0\]\.restart: unknown key 'restart'; did you mean 'resta",
        ),
        ("stages.milp.restarts=3", r"stages\[2\]\.restarts: unknown key 'restarts'; .*formulation"),
        ("stages.milp.warm_start.steps=3", r"stages\[2\]\.warm_start\.steps: unknown key .*'step'"),
        (
            "stages.short.time_limit=soon",
            r"stages\[1\]\.time_limit: expected a duration.*got 'soon'",
        ),
        ("stages.pgd.iterations=0", r"attack\[3\]\.stages\[0\]\.iterations: .*greater.*got 0"),
        (
            "stages.pgd.time_limit=2min",
            r"\[3\]: expected the stage 'pgd', which repeats .*of 2min",
        ),
        ("stages.lns.time_limit=1s", r"unknown stages 'lns'; valid: milp, pgd, short"),
        ("stop=both", r"attack\[3\]\.stop: .*'optimum' or 'flip'; got 'both'"),
        ("time_limit=soon", r"attack\[3\]\.time_limit: expected a duration.*got 'soon'"),
    ],
)
def test_mistakes_in_a_cascade_are_one_line(job_file, override, message):
    with pytest.raises(JobError, match=message) as caught:
        load_job(job_file(CASCADE), [f"attack.cascade.{override}"])
    assert "\n" not in str(caught.value)


def test_a_stage_that_does_not_fit_the_domain_is_refused(job_file):
    form = "attack.cascade.stages.milp.formulation=paper"
    message = r"attack 'cascade': stage 'milp': formulation = \"paper\" is for"
    with pytest.raises(JobError, match=message):
        load_job(job_file(CASCADE), [form, "threat.domain=grid"])

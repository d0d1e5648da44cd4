"""Everything that can be wrong with a model.yaml, and what its author is told."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flightworthy.adapters.spec_files import load
from flightworthy.errors import SpecError

GOOD = """\
model: churn
owner: growth
entity: customer_id
target: left
features:
  age: {type: integer, minimum: 0, maximum: 130}
  sex: {type: category, nullable: true}
source:
  uri: landing/churn/{partition}.csv
  partition: "%Y-%m-%d"
schedule: {cron: "0 0 * * *", start_at: 2025-01-06}
evaluation: {slices: [sex]}
gates:
  - {metric: roc_auc, at_least: 0.7}
release:
  steps: [10, 50, 100]
  bake_time: 5s
  deadline: 1m
"""

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """Write a model.yaml and return what its author is told."""

    def message(text: str, *, environ: Mapping[str, str] | None = None, folder: str = "churn") -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "model.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(SpecError) as caught:
            load(tmp_path / folder, environ or {})
        return str(caught.value)

    return message


def changed(before: str, after: str) -> str:
    """The good file with one thing changed."""
    assert GOOD.count(before) == 1, before
    return GOOD.replace(before, after)


@pytest.mark.parametrize(
    "written, told",
    [
        ("max_slowdown: 10", "release.max_slowdown=10: must be between 0% and 100%"),
        ("max_p99_latency: 250", "release.max_p99_latency=250: needs a unit"),
        ("required: [latency, colour]", "release.required[1]=colour: "),
        ("required: []", "release.required: must not be empty"),
        ("required: [latency]\n  max_slowdown: null", "release: required names latency, which max_slowdown: null"),
        (
            "required: [predictions]\n  max_flip_rate: null\n  max_prediction_shift: null",
            "release: required names predictions, of which nothing is judged",
        ),
        ("min_positive_share: 30%\n  max_positive_share: 20%", "release: min_positive_share must be less than"),
    ],
)
def test_what_a_canary_is_judged_by_must_make_sense(refused: Refused, written: str, told: str) -> None:
    """A limit that nothing passes, or evidence that nobody looks at, is a mistake and no strategy."""
    assert told in refused(f"{GOOD}  {written}\n")


@pytest.mark.parametrize(
    "written, told",
    [
        ("{extra_features: flag}", "requests.extra_features=flag: must be one of refuse, ignore"),
        ("{out_of_range: missing}", "requests.out_of_range=missing: must be one of accept, flag, refuse"),
        ("{unseen: flag}", "requests.unseen: unknown key; known are extra_features, out_of_range, unseen_category"),
        (
            "{unseen_category: missing}",
            "requests.unseen_category=missing: cannot be where sex may not be missing; make it nullable",
        ),
    ],
)
def test_what_becomes_of_requests_must_make_sense(refused: Refused, written: str, told: str) -> None:
    """A policy that there is none of, or that asks for a gap where none may be."""
    text = changed("sex: {type: category, nullable: true}", "sex: category")
    assert told in refused(f"{text}requests: {written}\n")


def test_a_criterion_may_be_left_out(tmp_path: Path) -> None:
    """``null`` is not judged."""
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "model.yaml").write_text(f"{GOOD}  max_slowdown: null\n  max_p99_latency: 250ms\n")
    plan = load(tmp_path / "churn", {}).release
    assert plan.max_slowdown is None
    assert plan.max_p99_latency is not None
    assert plan.max_p99_latency.total_seconds() == 0.25


def test_a_good_file_is_accepted(tmp_path: Path) -> None:
    """The file that the tests below break is accepted as it is."""
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/model.yaml").write_text(GOOD)
    assert load(tmp_path / "churn", {}).release.steps == (10, 50, 100)


def test_01_a_missing_file_is_named_with_its_folder(tmp_path: Path) -> None:
    """No model.yaml: the message names the folder and how to get one."""
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "churn", {})
    assert str(caught.value) == (
        f"model.yaml:1: is missing; {tmp_path / 'churn'} is no model without it (`flightworthy new` makes one)"
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n"])
def test_02_an_empty_file_is_called_empty(refused: Refused, text: str) -> None:
    """Nothing, blank lines, comments only: all are empty."""
    assert refused(text) == "model.yaml:1: is empty; `flightworthy new` shows what belongs in it"


def test_03_a_tab_is_reported_with_line_and_column(refused: Refused) -> None:
    """YAML forbids tabs for indentation; editors hide them."""
    assert refused("model: churn\nrelease:\n\tsteps: [100]\n") == (
        "model.yaml:3: column 1: is not YAML: a tab or another character that cannot stand here; indent with spaces"
    )


def test_03_a_wrong_indent_is_reported_with_line_and_column(refused: Refused) -> None:
    """A key that is indented like nothing around it."""
    told = refused("release:\n    steps: [100]\n  bake_time: 5s\n")
    assert told.startswith(
        "model.yaml:3: column 3: is not YAML: while parsing a block mapping did not find expected key"
    )


def test_04_a_duplicate_key_is_reported_with_both_lines(refused: Refused) -> None:
    """YAML readers usually let the last one win in silence."""
    assert refused(changed("owner: growth", "owner: growth\nowner: sales")) == (
        "model.yaml:3: owner: is a duplicate key; it stands on line 2 already"
    )


def test_05_an_unknown_key_is_answered_with_the_nearest_known_one(refused: Refused) -> None:
    """A typo in a section and at the top."""
    assert (
        refused(changed("bake_time", "baketime"))
        == "model.yaml:17: release.baketime: unknown key; did you mean bake_time?"
    )
    assert refused(GOOD + "realease: {}\n") == "model.yaml:19: realease: unknown key; did you mean release?"


def test_05_an_unknown_key_that_resembles_nothing_is_answered_with_the_known_ones(refused: Refused) -> None:
    """Better a list than a wild guess."""
    assert refused(GOOD + "  zzz: 1\n") == (
        "model.yaml:19: release.zzz: unknown key; known are "
        "target, strategy, steps, bake_time, min_requests, deadline, max_error_rate, max_slowdown, max_p99_latency, "
        "max_flip_rate, max_prediction_shift, min_positive_share, max_positive_share, required, shadow, "
        "warm_time, golden_requests, approval, drill"
    )


def test_05_the_folder_cannot_be_written_in_the_file(refused: Refused) -> None:
    """It is where the file lies, and nothing else."""
    assert refused(GOOD + "folder: /etc\n") == "model.yaml:19: folder: unknown key; the folder is where the file lies"


def test_06_yes_is_text_and_where_a_truth_is_due_the_message_says_so(refused: Refused) -> None:
    """YAML 1.1 reads yes as true, 1.2 as text."""
    assert refused(changed("nullable: true", "nullable: yes")) == (
        "model.yaml:7: features.sex.nullable=yes: must be true or false (yes is text in YAML 1.2)"
    )


def test_06_an_exponent_is_a_number_but_not_a_whole_one(refused: Refused) -> None:
    """YAML 1.1 reads 1e3 as text."""
    assert refused(GOOD + "  min_requests: 1e3\n") == (
        "model.yaml:19: release.min_requests=1e3: must be a whole number, written in digits: 1000"
    )


def test_06_a_number_where_text_is_due_asks_for_quotes(refused: Refused) -> None:
    """Categories are text, whatever they look like."""
    assert refused(changed("nullable: true", "values: [1, two]")) == (
        "model.yaml:7: features.sex.values[0]=1: must be text; put it in quotes (without quotes YAML reads a number)"
    )


def test_06_a_quoted_number_is_text(refused: Refused) -> None:
    """Quotes mean text, also around digits."""
    assert refused(GOOD + '  min_requests: "30"\n') == (
        "model.yaml:19: release.min_requests=30: must be a whole number, written in digits"
    )


def test_07_steps_that_do_not_grow_name_the_step_before(refused: Refused) -> None:
    """The message of the design, to the letter."""
    assert refused(changed("[10, 50, 100]", "[10, 50, 40, 100]")) == (
        "model.yaml:16: release.steps[2]=40: must be greater than the previous step (50)"
    )


def test_07_steps_that_do_not_end_at_100_say_why_they_must(refused: Refused) -> None:
    """A release that never gets all traffic has no end."""
    assert refused(changed("[10, 50, 100]", "[10, 50]")) == (
        "model.yaml:16: release.steps[1]=50: must be 100: the last step gives all traffic"
    )
    assert refused(changed("[10, 50, 100]", "[]")) == "model.yaml:16: release.steps: must not be empty"


def test_07_wrong_steps_are_reported_beside_whatever_else_is_wrong_in_their_section(refused: Refused) -> None:
    """Both are mended in one go."""
    assert len(refused(changed("[10, 50, 100]", "[10, 5, 100]").replace("5s", "5")).splitlines()) == 2


def test_08_weights_outside_of_1_to_100_are_refused(refused: Refused) -> None:
    """Both ends at once, each on its line."""
    assert refused(changed("[10, 50, 100]", "\n  - -1\n  - 150")) == (
        "model.yaml:17: release.steps[0]=-1: must be at least 1\n"
        "model.yaml:18: release.steps[1]=150: must be at most 100"
    )


@pytest.mark.parametrize(
    "written, told",
    [
        ("-5s", "must not be negative; write a duration like 5s, 10m, 2h or 1d"),
        ("5", "needs a unit; write 5s, 5m, 5h or 5d"),
        ("-5", "must not be negative, and needs a unit; write a duration like 5s, 10m, 2h or 1d"),
        ("5 fortnights", "must be a duration: a number and its unit, like 500ms, 5s, 10m, 2h or 1d"),
        ("true", "must be a duration: a number and its unit, like 500ms, 5s, 10m, 2h or 1d"),
        ("99999999999d", "must be ten years at most"),
    ],
)
def test_09_a_duration_needs_a_sign_and_a_unit(refused: Refused, written: str, told: str) -> None:
    """Seconds are not guessed, and time does not run backwards."""
    assert refused(changed("5s", written)) == f"model.yaml:17: release.bake_time={written}: {told}"


@pytest.mark.parametrize("written", ["64GB", "64", "-1GiB", "many", "[1GiB]"])
def test_09_a_size_needs_a_unit_that_means_one_thing(refused: Refused, written: str) -> None:
    """A GB has 10^9 bytes or 2^30."""
    told = refused(changed("source:\n", f"source:\n  largest: {written}\n"))
    assert "must be a size: a number and its unit, like 512KiB, 100MiB, 64GiB or 1TiB" in told
    assert "must be more than nothing" in refused(changed("source:\n", "source:\n  largest: 0KiB\n"))


def test_10_an_unknown_metric_is_answered_with_the_known_ones(refused: Refused) -> None:
    """And with the one that was probably meant."""
    assert refused(changed("roc_auc", "rocauc")) == (
        "model.yaml:14: gates[0].metric=rocauc: must be one of roc_auc, average_precision, log_loss, brier, accuracy, "
        "precision, recall, f1; did you mean roc_auc?"
    )


def test_11_a_gate_that_nothing_can_pass_is_refused(refused: Refused) -> None:
    """at_least above at_most."""
    assert refused(changed("at_least: 0.7", "at_least: 0.7, at_most: 0.6")) == (
        "model.yaml:14: gates[0]: at_least (0.7) must not be greater than at_most (0.6): nothing would pass"
    )


@pytest.mark.parametrize(
    "gate, told",
    [
        ("{metric: recall}", "needs a bound: at_least, at_most or not_worse_by"),
        ("{metric: log_loss, at_least: 0.2}", "lower is better for log_loss"),
        ("{metric: recall, at_least: 75}", "recall lies between 0 and 1, and so must its bounds"),
        ("{metric: recall, at_least: .nan}", "must be a finite number"),
        ("{metric: recall, at_least: 0.7, slice: age}", "must be one of evaluation.slices (sex)"),
    ],
)
def test_11_a_gate_that_cannot_mean_what_it_says_is_refused(refused: Refused, gate: str, told: str) -> None:
    """No bound, the wrong direction, percent for a share, not a number, an unmeasured slice."""
    assert told in refused(changed("{metric: roc_auc, at_least: 0.7}", gate))


def test_11_a_model_without_gates_is_refused(refused: Refused) -> None:
    """No gates would let everything pass."""
    assert refused(changed("gates:\n  - {metric: roc_auc, at_least: 0.7}", "gates: []")) == (
        "model.yaml:13: gates: must not be empty"
    )


def test_12_the_target_is_not_a_feature_and_neither_is_the_entity(refused: Refused) -> None:
    """Both are reported, each at its own line."""
    assert refused(changed("features:\n", "features:\n  left: boolean\n  customer_id: integer\n")) == (
        "model.yaml:6: features.left=boolean: is the target and must not be a feature: "
        "the model would be told the answer\n"
        "model.yaml:7: features.customer_id=integer: is the entity and must not be a feature: "
        "the model would learn names by heart"
    )


def test_12_names_that_differ_only_in_case_are_refused(refused: Refused) -> None:
    """No partition with such columns is ever read; here they still have a line."""
    told = refused(changed("features:\n", "features:\n  LEFT: boolean\n  Age: integer\n"))
    assert "model.yaml:6: features.LEFT=boolean: differs from left only in case: databases take one for the" in told
    assert "differs from Age only in case" in told


def test_12_when_a_row_became_known_is_no_feature(refused: Refused) -> None:
    """A model that may look at it would learn from when somebody answered."""
    told = refused(changed("source:\n", "source:\n  known_since: {columns: [age]}\n"))
    assert "source.known_since.columns[0]=age: must not be a feature" in told


def test_when_a_row_became_known_is_kept_as_it_is(refused: Refused) -> None:
    """A month in the place of its day would be known before it was."""
    said = "source:\n  known_since: {columns: [settled]}\n"
    told = refused(changed("\nsource:\n", f"\npersonal: {{columns: {{settled: {{date: month}}}}}}\n{said}"))
    assert "personal.columns.settled" in told
    assert "says since when a row is known, and is needed as it is" in told


SQL = "{uri: sql, conn_id: shop, table: a.b, partition: '%Y-%m-%d', event_time: {columns: [booked_at]}}"


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("conn_id: shop, ", "", "must name the Airflow connection of the database"),
        ("table: a.b, ", "", "or query must say which rows, and not both"),
        ("table: a.b", "table: a.b, query: SELECT 1", "source.table=a.b: or query must say which rows, and not both"),
        ("[booked_at]", "[day, hour]", "must name one column"),
        ("[booked_at]", "[booked_at], format: '%Y'", "must name one column"),
        ("event_time: ", "missing: ['?'], event_time: ", "is for files"),
        ("conn_id: ", "complete: {marker: x}, conn_id: ", "must be settled, since a table"),
        ("uri: sql", "uri: 'x.csv'", "source.table=a.b: is for a database; then uri is sql"),
        ("uri: sql", "uri: 'x.csv'", "format must say how the time is written"),
    ],
)
def test_a_database_that_is_half_a_file_is_refused(refused: Refused, before: str, after: str, told: str) -> None:
    """What only one of the two has is named with the other."""
    begin, end = GOOD.index("source:"), GOOD.index("schedule:")
    text = f"{GOOD[:begin]}source: {SQL.replace(before, after)}\n{GOOD[end:]}"
    assert told in refused(text)


def test_the_marker_of_one_file_of_all_partitions_is_one_for_all(refused: Refused) -> None:
    """There is no partition to name it after."""
    begin, end = GOOD.index("source:"), GOOD.index("schedule:")
    source = "{uri: x.csv, partition: '%Y-%m-%d', event_time: {columns: [day], format: '%Y-%m-%d'}, complete: COMPLETE}"
    text = f"{GOOD[:begin]}source: {source}\n{GOOD[end:]}"
    told = refused(text.replace("COMPLETE", "{marker: '{partition}.done'}"))
    assert "'{partition}.done' must not contain {partition}, since one file holds all partitions" in told


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "..", "Churn", "churn\\n", "churn ", "-churn", "churn;rm", "ch__urn", "€"]
)
def test_13_a_name_that_is_no_name_is_refused(refused: Refused, name: str) -> None:
    """It becomes a path, a DAG id, a route and an image name."""
    told = refused(changed("model: churn", f'model: "{name}"'))
    assert told.endswith(
        "must be lower-case letters and digits, with single - or _ between: it names paths, DAGs and images"
    )
    assert told.startswith("model.yaml:1: model=")
    assert len(told.splitlines()) == 1


def test_13_a_name_that_is_not_its_folders_is_refused(refused: Refused) -> None:
    """A copied folder would otherwise release over the original."""
    assert refused(GOOD, folder="copy") == "model.yaml:1: model=churn: must be the name of its folder (copy)"


@pytest.mark.parametrize(
    "line, secret",
    [
        ("training: {params: {api_key: hunter2}}", "hunter2"),
        ("training: {params: {dbPassword: '${DB:-hunter2}'}}", "hunter2"),
        ("training: {params: {url: 'postgresql://me:hunter2@db/x'}}", "hunter2"),
        ("training: {params: {key: AKIAIOSFODNN7EXAMPLE}}", "AKIAIOSFODNN7EXAMPLE"),
        ("training: {params: {hook: ghp_0123456789abcdefghij0123456789abcdef}}", "ghp_0123456789"),
        ("token: hunter2", "hunter2"),
        ("description: 'see https://x.test/?token=hunter2'", "hunter2"),
    ],
)
def test_14_a_secret_is_refused_and_not_repeated(refused: Refused, line: str, secret: str) -> None:
    """The message must not carry into a log what should not be in the file."""
    told = refused(f"{GOOD}{line}\n")
    assert "looks like a secret; write ${NAME} and set NAME in the environment" in told
    assert secret not in told


def test_14_a_secret_from_the_environment_is_no_literal_and_shows_up_in_no_message(refused: Refused) -> None:
    """A referenced secret may be used; its value is not printed even where it is wrong."""
    told = refused(f"{GOOD}token: ${{TOKEN}}\n", environ={"TOKEN": "hunter2"})
    assert told == "model.yaml:19: token: unknown key; known are " + told.partition("known are ")[2]
    told = refused(changed("bake_time: 5s", "bake_time: ${TIME}"), environ={"TIME": "hunter2"})
    assert "release.bake_time=${TIME}: must be a duration" in told
    assert "hunter2" not in told


def test_15_a_variable_that_is_not_set_is_named(refused: Refused) -> None:
    """Both the missing one and how to give a default."""
    assert refused(changed("uri: landing", "uri: ${LANDING}")) == (
        "model.yaml:9: source.uri: environment variable LANDING is not set; set it, or give a default: ${LANDING:-…}"
    )


@pytest.mark.parametrize("reference", ["${LANDING", "${}", "${1X}", "${LANDING:=x}"])
def test_15_a_malformed_reference_is_no_reference(refused: Refused, reference: str) -> None:
    """Half a reference would become part of a path."""
    told = refused(changed("uri: landing", f"uri: {reference}"), environ={"LANDING": "x"})
    assert told == "model.yaml:9: source.uri: has a malformed reference; write ${NAME} or ${NAME:-default}"


def test_16_a_minimum_of_zero_requests_is_refused(refused: Refused) -> None:
    """It would turn no data into a pass."""
    assert refused(GOOD + "  min_requests: 0\ndrift: {min_requests: 0}\n") == (
        "model.yaml:19: release.min_requests=0: must be at least 1\n"
        "model.yaml:20: drift.min_requests=0: must be at least 1"
    )


def test_everything_that_is_wrong_is_listed_at_once_in_the_order_of_the_file(refused: Refused) -> None:
    """A person fixes a file once, not once per message."""
    text = (
        changed("bake_time: 5s", "bake_time: 5")
        .replace("0.7", "high")
        .replace("landing", "${L}")
        .replace("growth", "a\nowner: b")
    )
    assert [line.split(":")[1] for line in refused(text).splitlines()] == ["3", "10", "15", "18"]


def test_a_missing_key_is_named_with_the_line_of_what_it_is_missing_from(refused: Refused) -> None:
    """At the top, and inside a section."""
    told = refused(changed("owner: growth\n", "").replace('  partition: "%Y-%m-%d"\n', ""))
    assert told == "model.yaml:1: owner: is missing\nmodel.yaml:8: source.partition: is missing"


@pytest.mark.parametrize(
    "text, told",
    [
        ("- a\n- b\n", "must be a mapping of keys to values"),
        ("just words\n", "must be a mapping of keys to values"),
        ("a: &x 1\nb: *x\n", "b: is an alias; write the value out"),
        ("a: &x [*x]\n", "is an alias; write the value out"),
        ("a: !!python/object/apply:os.system [ls]\n", "has the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!str 1\nb: !x {c: 1}\n", "b: has the tag !x"),
        ("<<: {model: churn}\n", "has a key that is not plain text"),
        ("? [a, b]\n: 1\n", "has a key that is not plain text"),
        ("a: 1\n---\nb: 2\n", "is not YAML: a second document begins here; keep one"),
        ("a: \x00\n", "is not YAML"),
        ("[" * 100_000, "is not YAML: nested too deeply"),
        ("[" * 500 + "]" * 500, "is not YAML: nested too deeply"),
        ("a: 1\n" * 100_000, "is larger than 256 KiB"),
    ],
)
def test_what_only_a_trickster_writes_is_refused_too(refused: Refused, text: str, told: str) -> None:
    """No document, aliases, tags, merge keys, several documents, NUL, depth and size."""
    assert told in refused(text)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Latin-1 is not guessed."""
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/model.yaml").write_bytes(GOOD.replace("growth", "Müller").encode("latin-1"))
    with pytest.raises(SpecError, match=r"model.yaml:1: is not UTF-8 \(byte 21\); save it as UTF-8"):
        load(tmp_path / "churn", {})


@pytest.mark.parametrize(
    "before, after, told",
    [
        (
            "age: {type: integer, minimum: 0, maximum: 130}",
            "age: {type: integer, minimum: 9, maximum: 1}",
            "minimum (9)",
        ),
        ("nullable: true", "minimum: 1", "minimum and maximum are for a number or integer, not for a category"),
        ("nullable: true", "values: [a, a]", "features.sex.values: names a more than once"),
        ("minimum: 0, maximum: 130", "values: [a]", "values are for a category, not for a integer"),
        ("{type: category, nullable: true}", "categroy", "did you mean category?"),
        ("{partition}.csv", "today.csv", "must contain {partition}, or event_time must say which rows"),
        ("{partition}.csv", "{date}/{partition}.csv", "{date} means nothing here; only {partition} is replaced"),
        ("{partition}.csv", "{partition}.xlsx", "must end in .csv, .jsonl, .ndjson or .parquet"),
        ("{partition}.csv", "{partition}.csv\n  member: x.csv", "source.member=x.csv: is for a uri that ends in .zip"),
        ('"%Y-%m-%d"', '"%d-%m-%Y"', "but sorts before it. Write the larger unit first"),
        ('"%Y-%m-%d"', '"%Y/../%m"', "may hold directives like %Y, letters, digits"),
        ('"%Y-%m-%d"', '"%Y-%m"', "is too coarse for schedule.cron, which runs every day"),
        ('"0 0 * * *"', '"0 0 * *"', "must have five fields"),
        ('"0 0 * * *"', '"0 24 * * *"', "the hour '24' must be *, or numbers from 0 to 23"),
        ("2025-01-06", "06.01.2025", "must be a date like 2025-01-06"),
        ("[sex]", "[age]", "must be one of the features, a category or boolean"),
        ("[sex]", "[sex], threshold: 1.0", "must be less than 1"),
        ("deadline: 1m", "deadline: 5s", "deadline must be longer than bake_time"),
        ("deadline: 1m", "deadline: 1m\n  strategy: blue-green", "strategy blue-green has no steps before all traffic"),
        ("steps: [10, 50, 100]", "strategy: all-at-once\n  warm_time: 1h", "all-at-once keeps nothing warm"),
        ("steps: [10, 50, 100]", "strategy: rolling", "release.strategy=rolling"),
        ("deadline: 1m", "deadline: 1m\n  warm_time: 30", "release.warm_time=30"),
        ("deadline: 1m", "deadline: 1m\n  shadow: {bake_time: 1m}", "deadline must be longer than shadow.bake_time"),
        ("deadline: 1m", "deadline: 1m\n  shadow: {min_requests: 0}", "must be at least 1"),
        ("deadline: 1m", "deadline: 1m\n  shadow: {max_flip_rate: 5}", "must be between 0% and 100%"),
        ("deadline: 1m", "deadline: 1m\n  shadow: {max_flips: 5%}", "did you mean max_flip_rate?"),
        ("evaluation:", "dataset: {validation: 50%, holdout: 50%}\nevaluation:", "nothing would be left to train on"),
        ("evaluation:", "dataset: {holdout: 20}\nevaluation:", "must be between 0% and 100%, written like 20% or 0.2"),
        ("evaluation:", "training: {params: {C: 1}, search: {C: [1, 2]}}\nevaluation:", "C: both fixed in params"),
        ("evaluation:", "training: {params: {C: [1]}}\nevaluation:", "must be a number, text, true, false or null"),
        ("evaluation:", "training: {search: {C: []}}\nevaluation:", "training.search.C: must not be empty"),
        ("evaluation:", "dataset: weekly\nevaluation:", "dataset=weekly: must be a mapping of keys to values"),
        ("target: left", "target: customer_id", "must not be the entity"),
        ("target: left", "target: left\npositive: 0.5", "must be a value of the target"),
    ],
)
def test_what_contradicts_itself_is_refused(refused: Refused, before: str, after: str, told: str) -> None:
    """Each section's own rules, and those between sections."""
    message = refused(changed(before, after))
    assert told in message
    assert len(message.splitlines()) == 1, message


def test_the_error_carries_its_facts_and_survives_pickling(tmp_path: Path) -> None:
    """Airflow moves errors between processes; programs read facts, not prose."""
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/model.yaml").write_text(changed("50, 100", "50, 40, 100"))
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "churn", {})
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.facts["line"] == 16
    assert error.facts["key"] == "release.steps[2]=40"
    assert error.facts["file"] == str(tmp_path / "churn/model.yaml")
    assert error.facts["problems"] == (str(error),)


@pytest.mark.parametrize(
    "written, told",
    [
        (
            "two",
            "release.approval=two: must be one of one, not_the_author, or say of, at_least, not_the_author, within",
        ),
        ("true", "release.approval=true: must be a mapping"),
        ("{at_least: 0}", "release.approval.at_least=0: must be at least 1"),
        ("{of: [ada], at_least: 2}", "release.approval: at_least (2) is more than the 1 who are named in of"),
        ("{of: [ada, ada]}", "release.approval.of: names ada more than once"),
        ("{of: ada}", "release.approval.of=ada: must be a list"),
        ("{of: [7]}", "release.approval.of[0]=7: must be text"),
        ("{within: 1s}", "within must be at least 10s"),
        ("{by: ada}", "release.approval.by: unknown key"),
    ],
)
def test_an_approval_that_cannot_be_given_is_refused(refused: Refused, written: str, told: str) -> None:
    """Nobody waits for what nobody can answer, and nothing passes for want of a question."""
    assert told in refused(changed("  bake_time: 5s\n", f"  bake_time: 5s\n  approval: {written}\n"))


@pytest.mark.parametrize(
    "written, told",
    [
        ("{columns: {customer_id: drop}}", "columns.customer_id=drop: is the entity: only a pseudonym"),
        ("{columns: {left: pseudonym}}", "columns.left=pseudonym: is the target"),
        ("{columns: {age: drop}}", "columns.age=drop: is a feature, and cannot be left out"),
        ("{columns: {age: pseudonym}}", "make it a category"),
        ("{columns: {mean_radius: {bucket: 5, prefix: 2}}}", "must say one thing"),
        ("{columns: {email: hash}}", "must be one of pseudonym, drop, zip3"),
        ("{columns: {age: {bucket: 1}}}", "at least 2"),
        ("{columns: {email: drop}, not_personal: {email: it is ours}}", "cannot be both"),
        ("{not_personal: {url: ''}}", "not_personal.url"),
        ("{columns: {age: {bukket: 5}}}", "did you mean bucket"),
    ],
)
def test_what_becomes_of_personal_columns_must_make_sense(refused: Refused, written: str, told: str) -> None:
    """Each offence is told by its line and key; nothing is guessed."""
    assert told in refused(changed("\nsource:", f"\npersonal: {written}\nsource:"))

"""``repurchase``: customers on Mondays from lines of invoices, without a look at what came later."""

from __future__ import annotations

from types import ModuleType

import pandas as pd
import pytest

from tests.models.landing import DATA, lander, reviewed

DAY = pd.Timestamp("2011-06-06")
FILE = DATA / "online_retail.parquet"


@pytest.fixture(scope="module")
def land() -> ModuleType:
    return lander("repurchase")


def lines(*told: tuple[str, int, str, int, float]) -> pd.DataFrame:
    """Raw lines: when, customer (0: none), invoice, quantity, price."""
    at, customer, invoice, quantity, price = zip(*told, strict=True)
    return pd.DataFrame(
        {
            "InvoiceNo": invoice,
            "StockCode": [f"p{place}" for place in range(len(told))],
            "Quantity": quantity,
            "InvoiceDate": pd.to_datetime(list(at)),
            "UnitPrice": price,
            "CustomerID": [float(each) if each else None for each in customer],
            "Country": "United Kingdom",
        }
    )


@pytest.fixture
def shop(land: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    raw = lines(
        ("2011-05-01 10:00", 1, "1", 2, 5.0),
        ("2011-06-05 23:59", 1, "2", 1, 8.0),
        ("2011-06-06 00:00", 1, "3", 1, 9.0),
        ("2011-05-20 10:00", 2, "4", 1, 3.0),
        ("2011-05-21 10:00", 2, "C5", -1, 3.0),
        ("2011-07-06 00:00", 2, "6", 1, 3.0),
        ("2011-06-20 10:00", 3, "7", 1, 3.0),
        ("2011-05-02 10:00", 0, "8", 1, 3.0),
        ("2011-05-03 10:00", 4, "9", 1, 0.0),
    )
    file = tmp_path_factory.mktemp("retail") / "lines.parquet"
    pd.concat([raw, raw[:1]]).to_parquet(file)
    frame: pd.DataFrame = land.cleaned(file)
    return frame


def test_a_customer_is_told_as_of_the_morning(land: ModuleType, shop: pd.DataFrame) -> None:
    """What was bought at midnight is the answer, not the question; a line that is there twice counts once."""
    told = land.snapshot(shop, DAY).set_index("customer")

    assert list(told.index) == [1, 2]
    assert told.loc[1, ["orders", "spent", "days_since_last", "days_since_first"]].tolist() == [2, 18.0, 0, 35]
    assert told["bought_again"].to_dict() == {1: 1, 2: 0}


def test_cancelled_free_and_nobodys_lines_are_no_purchase(land: ModuleType, shop: pd.DataFrame) -> None:
    """A cancellation is counted as what it is; who only ever got something for nothing has not bought."""
    told = land.snapshot(shop, DAY).set_index("customer")

    assert told.loc[2, ["orders", "cancellations"]].tolist() == [1, 1]
    assert 4 not in told.index


def test_the_thirtieth_day_is_no_longer_within_thirty_days(land: ModuleType, shop: pd.DataFrame) -> None:
    """Half-open, as every interval here."""
    early = shop.assign(at=shop["at"] - pd.Timedelta(seconds=1))

    assert land.snapshot(shop, DAY).set_index("customer")["bought_again"][2] == 0
    assert land.snapshot(early, DAY).set_index("customer")["bought_again"][2] == 1


def test_a_partition_holds_what_is_complete_by_the_end_of_its_week(land: ModuleType) -> None:
    """The last instant that a label depends on lies in the week that names the partition, whichever Monday it is."""
    for day in pd.date_range("2011-02-28", periods=40, freq="W-MON"):
        begins = day + land.TO_PARTITION
        assert begins <= day + land.HORIZON < begins + pd.Timedelta(days=7)


real = pytest.mark.skipif(not FILE.exists(), reason=f"no online_retail.parquet in FLIGHTWORTHY_DATA_DIR ({DATA})")


@pytest.fixture(scope="module")
def bought(land: ModuleType) -> pd.DataFrame:
    frame: pd.DataFrame = land.cleaned(FILE)
    return frame


@real
def test_nothing_that_came_later_is_in_a_partition(land: ModuleType, bought: pd.DataFrame) -> None:
    """Made from all lines, and from those of before its week's end: the same; features from those of before the day."""
    whole = land.snapshot(bought, DAY)
    week_end = DAY + land.TO_PARTITION + pd.Timedelta(days=7)

    pd.testing.assert_frame_equal(land.snapshot(bought[bought["at"] < week_end], DAY), whole)
    known = land.snapshot(bought[bought["at"] < DAY], DAY)
    features = [name for name in whole if name != "bought_again"]
    pd.testing.assert_frame_equal(known[features], whole[features])
    assert whole["bought_again"].sum() > 0 == known["bought_again"].sum()


@real
def test_the_model_passes_its_gates_and_beats_the_best_single_column(
    land: ModuleType, bought: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On six real Mondays, on customers whom it never saw, as it would be served."""
    mondays = pd.date_range("2011-08-01", periods=6, freq="2W-MON")
    frame = pd.concat([land.snapshot(bought, day) for day in mondays], ignore_index=True)

    found = reviewed("repurchase", frame, tmp_path_factory.mktemp("model"))

    assert [str(objection) for objection in found.decision.objections] == []
    assert found.challenger.metrics["roc_auc"].value > 0.72

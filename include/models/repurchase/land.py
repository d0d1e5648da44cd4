"""Lands the retail file as customers on Mondays: ``python include/models/repurchase/land.py [LANDING]``.

The file holds lines of invoices; a model learns from a customer on a day: what was known of them that morning, and
whether they bought again within thirty days. The preparation that a warehouse would do, in the open:

* **Features are as of the day.** Each is computed from lines before the day's midnight, and from nothing else.
* **A label is known thirty days later.** So the rows of a day belong to the partition in whose week they became
  complete: the week that begins 28 days after it. Whoever trains as of that week's end knows all of it and no more.
* **Dirt.** Lines without a customer say nothing of a customer; a line that is there twice counts once; a cancelled
  invoice (``C…``) and a price of nothing are no purchase.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from flightworthy.adapters.landing import main

MODEL: Final = Path(__file__).parent.name
FILE: Final = "online_retail.parquet"
HORIZON: Final = pd.Timedelta(days=30)
TO_PARTITION: Final = pd.Timedelta(days=28)
"""From a day to the Monday of its partition: the label is known on the Wednesday after that."""
FIRST_DAY: Final = pd.Timestamp("2011-02-28")
"""Three months after the first invoice: before that everybody is new."""


def cleaned(file: Path) -> pd.DataFrame:
    """The lines that say something of a customer: customer, invoice, at, product, value, is_purchase, country."""
    raw = pd.read_parquet(file).drop_duplicates()
    raw = raw[raw["CustomerID"].notna()]
    invoice = raw["InvoiceNo"].astype("str")
    told = pd.DataFrame(
        {
            "customer": raw["CustomerID"].astype("int64"),
            "invoice": invoice,
            "at": pd.to_datetime(raw["InvoiceDate"]),
            "product": raw["StockCode"].astype("str"),
            "value": raw["Quantity"] * raw["UnitPrice"],
            "is_purchase": (raw["Quantity"] > 0) & (raw["UnitPrice"] > 0) & ~invoice.str.startswith("C"),
            "country": raw["Country"].astype("str"),
        }
    )
    return told.sort_values(["at", "invoice", "product"]).reset_index(drop=True)


def snapshot(lines: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Every customer who had bought before ``day``: what was known that morning, and whether they bought soon after."""
    before = lines[lines["at"] < day]
    bought = before[before["is_purchase"]]
    orders = bought.groupby(["customer", "invoice"], sort=True).agg(at=("at", "min"), value=("value", "sum"))
    told = _of_orders(orders.reset_index(), day)
    told["products"] = bought.groupby("customer")["product"].nunique()
    cancelled = before[~before["is_purchase"]].groupby("customer")["invoice"].nunique()
    told["cancellations"] = cancelled.reindex(told.index).fillna(0).astype("int64")
    country = bought.groupby("customer")["country"].last()
    told["country"] = country.where(country == "United Kingdom", "elsewhere")
    soon = lines[lines["is_purchase"] & (lines["at"] >= day) & (lines["at"] < day + HORIZON)]
    told["bought_again"] = told.index.isin(soon["customer"].unique()).astype("int64")
    return told.reset_index().assign(day=f"{day:%Y-%m-%d}")


def _of_orders(orders: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    ages = (day - orders["at"]).dt.days
    orders = orders.assign(age=ages, recent=ages < 30, season=ages < 90)
    by = orders.groupby("customer", sort=True)
    told = pd.DataFrame({"days_since_last": by["age"].min(), "days_since_first": by["age"].max()})
    told["orders"] = by.size()
    told["orders_30_days"] = by["recent"].sum().astype("int64")
    told["orders_90_days"] = by["season"].sum().astype("int64")
    told["spent"] = by["value"].sum().round(2)
    told["spent_per_order"] = (told["spent"] / told["orders"]).round(2)
    told["spent_last"] = by["value"].last().round(2)
    # Days between orders; one order has no gap, and that is known too.
    gaps = (told["days_since_first"] - told["days_since_last"]) / (told["orders"] - 1).where(told["orders"] > 1)
    told["days_between"] = gaps.round(2)
    told["overdue"] = (told["days_since_last"] / (gaps + 1)).round(4)
    return told


def partitions(lines: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each partition's key and rows; the last day is the one whose thirty days the file still covers."""
    for day in pd.date_range(FIRST_DAY, lines["at"].max() - HORIZON, freq="W-MON"):
        yield f"{day + TO_PARTITION:%Y-%m-%d}", snapshot(lines, day)


if __name__ == "__main__":
    main(MODEL, FILE, lambda file: partitions(cleaned(file)))

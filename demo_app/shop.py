"""The shop's pages and its one JSON address, with the faults that real shops have.

Each fault is an honest one: a price that never came, a customer without orders, a voucher
typed in as "10 %", a product nobody has bought yet, a supplier who does not answer.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from flask import (
    Blueprint,
    abort,
    flash,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user

from .customers import DEMO_CUSTOMER, find

shop = Blueprint("shop", __name__)

GOODS: dict[str, Any] = json.loads(files(__package__).joinpath("goods.json").read_text("utf-8"))
PRODUCTS: dict[str, dict[str, Any]] = {product["slug"]: product for product in GOODS["products"]}
POSTAGE_PENCE = 350


@shop.app_template_filter()
def money(pence: int) -> str:
    return f"£{pence / 100:.2f}"


@shop.app_context_processor
def _basket_size() -> dict[str, int]:
    return {"basket_size": sum(session.get("basket", {}).values())}


def _product(slug: str) -> dict[str, Any]:
    return PRODUCTS.get(slug) or abort(404)


def _lines() -> list[dict[str, Any]]:
    """The visitor's basket: product, count and pence of each line."""
    return [
        {"product": PRODUCTS[slug], "count": count, "pence": PRODUCTS[slug]["pence"] * count}
        for slug, count in session.get("basket", {}).items()
        if slug in PRODUCTS
    ]


@shop.get("/")
def front() -> str:
    return render_template("front.html", products=PRODUCTS.values())


@shop.get("/product/<slug>")
def product(slug: str) -> str:
    found = _product(slug)
    # Fault: the price may be missing, and then there is nothing to add the postage to.
    posted = found["pence"] + POSTAGE_PENCE
    return render_template("product.html", product=found, posted=posted)


@shop.post("/basket")
def add_to_basket() -> ResponseReturnValue:
    found = _product(request.form.get("product", ""))
    if found["pence"] is None:
        abort(409)
    basket = session.setdefault("basket", {})
    basket[found["slug"]] = basket.get(found["slug"], 0) + 1
    session.modified = True
    flash(f"{found['name']} is in your basket.")
    return redirect(url_for(".basket"))


@shop.get("/basket")
def basket() -> str:
    lines = _lines()
    total = sum(line["pence"] for line in lines)
    return render_template("basket.html", lines=lines, total=total, postage=POSTAGE_PENCE)


@shop.post("/basket/remove")
def remove_from_basket() -> ResponseReturnValue:
    session.get("basket", {}).pop(request.form.get("product", ""), None)
    session.modified = True
    return redirect(url_for(".basket"))


@shop.post("/checkout")
def checkout() -> ResponseReturnValue:
    total = sum(line["pence"] for line in _lines())
    if not total:
        return redirect(url_for(".basket"))
    voucher = request.form.get("voucher", "").strip().upper()
    if voucher:
        if voucher not in GOODS["vouchers"]:
            flash(f"We do not know the voucher {voucher}.")
            return redirect(url_for(".basket"))
        # Fault: somebody entered the discount as "10 %".
        total -= total * int(GOODS["vouchers"][voucher]) // 100
    orders = session.setdefault("orders", [])
    orders.append(total + POSTAGE_PENCE)
    session.pop("basket", None)
    session.modified = True
    return render_template("thanks.html", total=orders[-1])


@shop.get("/api/stock")
def stock() -> dict[str, Any]:
    found = _product(request.args.get("product", ""))
    # Fault: divides by the sales of a product that nobody has bought yet.
    weeks = found["in_stock"] // found["sold_a_week"]
    return {"product": found["slug"], "in_stock": found["in_stock"], "weeks": weeks}


def _local(address: str) -> str | None:
    """The address, if it is a path of this host; None if it may lead anywhere else.

    Browsers read ``//host`` and ``/\\host`` as another host, and drop tabs and line breaks on the
    way to it (WHATWG URL, 4.4), so none of these may be in it.
    """
    is_local = re.fullmatch(r"/(?![/\\])[^\x00-\x20\x7f]*", address)
    return address if is_local else None


@shop.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    refused = False
    if request.method == "POST":
        customer = find(request.form.get("email", ""), request.form.get("password", ""))
        if customer is not None:
            login_user(customer)
            flash(f"Good day, {customer.name}.")
            return redirect(_local(request.args.get("next", "")) or url_for(".front"))
        refused = True
    elif current_user.is_authenticated:
        # "Go back" on a crash page may lead here.
        return redirect(url_for(".front"))
    page = render_template("sign_in.html", customer=DEMO_CUSTOMER, refused=refused)
    return page, 401 if refused else 200


@shop.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for(".front"))


@shop.get("/account")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login carries no types
def account() -> str:
    # Fault: a new customer has no latest order.
    latest = session.get("orders", [])[-1]
    return render_template("account.html", customer=current_user, latest=latest)


@shop.get("/gift-cards")
def gift_cards() -> ResponseReturnValue:
    # Fault: the gift cards' supplier never answers, and the view gives up.
    abort(500)


@shop.get("/break")
def ways_to_break() -> str:
    return render_template("break.html")

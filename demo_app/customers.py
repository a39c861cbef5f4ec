"""The shop's customers, and how Flask-Login finds the one who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from flask_login import LoginManager, UserMixin


@dataclass(frozen=True)
class Customer(UserMixin):  # type: ignore[misc]  # Flask-Login carries no types
    id: str
    name: str
    email: str
    password: str


# The sign-in page shows it, since it protects nothing.
DEMO_CUSTOMER = Customer("1", "Ada Lovelace", "ada@example.com", "analytical")

_CUSTOMERS = {customer.id: customer for customer in (DEMO_CUSTOMER,)}

login_manager = LoginManager()
login_manager.login_view = "shop.sign_in"
login_manager.login_message = "Please sign in first."


@login_manager.user_loader  # type: ignore[untyped-decorator]  # Flask-Login carries no types
def load(customer_id: str) -> Customer | None:
    return _CUSTOMERS.get(customer_id)


def find(email: str, password: str) -> Customer | None:
    """The customer with this name and password, or None."""
    for customer in _CUSTOMERS.values():
        if (customer.email, customer.password) == (email.strip().lower(), password):
            return customer
    return None

"""The inbox's list in a browser, as its tests look at it and press its keys."""

from __future__ import annotations

from playwright.sync_api import Page, expect


def rows(page: Page) -> list[str]:
    return page.locator(".list .type").all_inner_texts()


def wait_for_rows(page: Page, *types: str) -> None:
    expect(page.locator(".list .type")).to_have_text(list(types))


def ready(page: Page) -> None:
    """The scripts have run."""
    expect(page.get_by_label("Select all on this page")).to_be_visible()


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)

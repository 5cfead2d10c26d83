"""Takes the pictures of the README from the real application: `python -m tests.browser.pictures`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.person import LAPTOP, PHONE
from tests.server import ROOT, Server, own_database

# The name of each picture, the page, and the screen.
PICTURES = {
    "list": ("/expenses?period=this-month", LAPTOP),
    "month": ("/months", LAPTOP),
    "phone": ("/expenses?period=this-month", PHONE),
}


def take_pictures(address: str, email: str, password: str) -> None:
    """Log in and save the list, the last whole month, and the list on a phone, in light and in dark, in `docs`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*ARGUMENTS, "--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=LAPTOP, color_scheme=scheme, locale="en-US", device_scale_factor=1)
            page.goto(f"{address}/login")
            page.fill("#email", email)
            page.fill("#password", password)
            page.click("main button")
            for name, (path, screen) in PICTURES.items():
                page.set_viewport_size(screen)
                page.goto(f"{address}{path}")
                if name == "month":
                    page.click("[rel=prev]")
                page.wait_for_load_state("networkidle")
                page.screenshot(path=ROOT / "docs" / f"{name}-{scheme}.png")
        browser.close()


def main() -> None:
    """Serve an account with the demonstration's expenses, and take its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), own_database(Path(folder)))
        server.start()
        try:
            command = [sys.executable, "-m", "flask", "--app", "app", "demo", "--here"]
            made = subprocess.run(
                command, cwd=ROOT, env=server.environment, check=True, capture_output=True, text=True
            )
            take_pictures(server.address, "demo@example.com", made.stdout.split()[-1])
        finally:
            server.stop()


if __name__ == "__main__":
    main()

"""The device names of sessions."""

import pytest

from views.filters import device_name

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"{MAC} Version/18.5 Safari/605.1.15", "Safari on Mac"),
        (WINDOWS, "Chrome on Windows"),
        (f"{WINDOWS} Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} OPR/123.0.0.0", "Opera on Windows"),
        (f"{WINDOWS} Vivaldi/7.0", "Vivaldi on Windows"),
        (f"{ANDROID} Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{ANDROID} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
        (f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
        (f"{IPHONE} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
            "Chrome on ChromeOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", "A browser on Windows"),
        ("curl/8.5.0", "curl"),
        ("Werkzeug/3.1", "An unknown device"),
        ("", "An unknown device"),
        ("<b>Firefoxes\0é", "An unknown device"),
    ],
)
def test_a_device_is_called_by_its_browser_and_its_system(app, user_agent, name):
    with app.test_request_context():
        assert device_name(user_agent) == name

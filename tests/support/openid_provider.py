"""A real OpenID provider (panva's oidc-provider) in a process of Node.js, and a person with a browser who signs in."""

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme

from tests.support.node_packages import install_node_packages
from tests.support.service import AUDIT_LOG, Service, free_port
from tests.support.skipping import skip_or_fail
from tests.support.waiting import SECONDS

CLIENT_ID = "audit-log-viewer"
CLIENT_SECRET = "the secret/of the viewer: long"
_SOURCE = Path(__file__).with_name("oidc")


@dataclass(frozen=True)
class OpenIDProvider:
    """A running provider. `authority` is the file with the certificate that vouches for its own."""

    url: str
    authority: Path

    def settings(self, page: str) -> dict[str, str]:
        return {
            "auth": "clients",
            "trusted_issuer": self.url,
            "trusted_audience": "audit-log",
            "trusted_jwks_url": f"{self.url}/jwks",
            "public_url": page,
            "sign_in_client_id": CLIENT_ID,
            "sign_in_client_secret": CLIENT_SECRET,
            "sign_in_roles": "auditor=* support=42,43",
        }


@contextmanager
def openid_provider(folder: Path, page: str, *, ends_sessions: bool) -> Iterator[OpenIDProvider]:
    """Run a provider that sends browsers back to the page, and ends sessions at its request."""
    home = install_node_packages(_SOURCE)
    node = shutil.which("node")
    if not node:
        skip_or_fail("node is not installed: apt-get install nodejs npm")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    port = free_port()
    command = [
        node,
        home / "provider.mjs",
        port,
        folder / "server.pem",
        folder / "server.pem",
        page,
        "on" if ends_sessions else "off",
    ]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any(line == "ready\n" for line in lines), "the provider ended"
        yield OpenIDProvider(f"https://127.0.0.1:{port}", folder / "authority.pem")
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)
        if process.stdout:
            process.stdout.close()


@contextmanager
def service_with_provider(folder: Path, *, ends_sessions: bool = True) -> Iterator[tuple[Service, OpenIDProvider]]:
    """Run a service whose people sign in at a provider, in this directory; sessions of the provider may have no end."""
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    with openid_provider(folder, page, ends_sessions=ends_sessions) as provider:
        command = [AUDIT_LOG, "serve", "--port", str(port)]
        environ = {"SSL_CERT_FILE": str(provider.authority)}
        service = Service(command, port, folder / "data", provider.settings(page), environ=environ)
        with service.wait_until_up() as running:
            yield running, provider


class Person:
    """Somebody with a browser that keeps cookies and follows redirects by hand."""

    def __init__(self, provider: OpenIDProvider, page: str) -> None:
        self._page = page
        context = ssl.create_default_context(cafile=provider.authority)
        self.browser = httpx.Client(verify=context, timeout=SECONDS)

    def begin(self) -> str:
        """Ask the service for the sign-in; the URL of the provider."""
        answer = self.browser.get(f"{self._page}/session/sign-in")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def authorize(self, url: str, login: str) -> str:
        """Sign in at the provider and consent; the URL that it sends the browser back to."""
        answer = self.browser.get(url)
        for _ in range(10):
            while answer.is_redirect:
                target = str(answer.next_request.url) if answer.next_request else ""
                if target.startswith(f"{self._page}/session/callback"):
                    return target
                answer = self.browser.get(target)
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action, answer.text
            assert prompt, answer.text
            form = {"prompt": prompt[1], "login": login, "password": "any"}
            answer = self.browser.post(str(answer.url.join(action[1])), data=form)
        raise AssertionError("the provider asks without end")

    def is_known_at_the_provider(self) -> bool:
        """Whether it would send the browser back without asking for the login."""
        answer = self.browser.get(self.begin())
        while answer.next_request and not str(answer.next_request.url).startswith(self._page):
            answer = self.browser.get(str(answer.next_request.url))
        return answer.is_redirect

    def end_session(self, url: str) -> str:
        """Confirm at the provider that its session ends; the URL that it sends the browser to."""
        answer = self.browser.get(url)
        action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
        secret = re.search(r'name="xsrf" value="(\w+)"', answer.text)
        assert action, answer.text
        assert secret, answer.text
        answer = self.browser.post(str(answer.url.join(action[1])), data={"xsrf": secret[1], "logout": "yes"})
        return answer.headers["Location"]

    def sign_in(self, login: str) -> httpx.Response:
        return self.browser.get(self.authorize(self.begin(), login))

    def token(self, **headers: str) -> httpx.Response:
        """Ask for a token as the page does, with other headers if given."""
        return self.post("/session/token", **headers)

    def post(self, path: str, **headers: str) -> httpx.Response:
        usual = {"origin": self._page, "sec-fetch-site": "same-origin"}
        sent = {name.replace("_", "-"): value for name, value in {**usual, **headers}.items() if value}
        return self.browser.post(f"{self._page}{path}", headers=sent)

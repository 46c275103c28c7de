"""A real OAuth2 server (Authlib) on a free loopback port, with an API behind it. Prints its URL; ends when stdin closes.

`/oauth/token` gives tokens to the clients below, `/v1/events?limit&offset` gives events to those who have one, and `/stats` says what the server
has seen. Authlib checks the requests by the RFCs; only its storage, here in memory, is ours.
"""

import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

# Authlib speaks plain http only when it is told to; nothing here leaves loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.common.security import generate_token
from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator, BearerTokenValidator
from flask import Flask, jsonify, request
from werkzeug.serving import WSGIRequestHandler, make_server

EVENTS = 800
SCOPE = "events:read"
# Authlib undoes the %XX of a form-encoded secret in a Basic header (RFC 6749 section 2.3.1), but leaves a `+` as it is. So this secret
# has everything that is encoded as %XX, a plus itself and a colon included, but no space.
SECRET = "s3cr3t-with:special/chars+&"
FIRST_REFRESH_TOKEN = "the-token-to-begin-with"


@dataclass
class Client(ClientMixin):
    client_id: str
    authentication: str
    grant_type: str = "client_credentials"
    announced: int = 3600
    # How long its tokens really live: less than announced for a server that forgets them.
    lives: float = 3600.0

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return SCOPE if scope in (None, "", SCOPE) else None

    def check_client_secret(self, client_secret):
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.authentication

    def check_grant_type(self, grant_type):
        return grant_type == self.grant_type


@dataclass
class Token(TokenMixin):
    client: Client
    scope: str
    born: float = field(default_factory=time.monotonic)
    is_used: bool = False

    def check_client(self, client):
        return client is self.client

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.client.announced

    def is_expired(self):
        return time.monotonic() >= self.born + self.client.lives

    def is_revoked(self):
        return False


def clients():
    listed = [
        Client("basic", "client_secret_basic"),
        Client("post", "client_secret_post"),
        Client("short-lived", "client_secret_basic", announced=3, lives=3.0),
        Client("forgotten", "client_secret_post", announced=3600, lives=2.0),
        Client("rotating", "client_secret_basic", grant_type="refresh_token", announced=3, lives=3.0),
    ]
    return {client.client_id: client for client in listed}


CLIENTS = clients()
ACCESS_TOKENS = {}
REFRESH_TOKENS = {FIRST_REFRESH_TOKEN: Token(CLIENTS["rotating"], SCOPE)}
SEEN = Counter()
LOCK = threading.Lock()


def save_token(token, oauth_request):
    with LOCK:
        SEEN["tokens_given"] += 1
        ACCESS_TOKENS[token["access_token"]] = Token(oauth_request.client, token["scope"])
        if "refresh_token" in token:
            REFRESH_TOKENS[token["refresh_token"]] = Token(oauth_request.client, token["scope"])


class ByClientCredentials(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


class ByRefreshToken(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = REFRESH_TOKENS.get(refresh_token)
        return None if token is None or token.is_used else token

    def authenticate_user(self, refresh_token):
        return "somebody"

    def revoke_old_credential(self, refresh_token):
        refresh_token.is_used = True


class ByBearerToken(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return ACCESS_TOKENS.get(token_string)


app = Flask(__name__)
authorization = AuthorizationServer(app, query_client=CLIENTS.get, save_token=save_token)
authorization.register_token_generator(
    "default",
    BearerTokenGenerator(
        lambda **_: generate_token(42), lambda **_: generate_token(48), lambda client, grant_type: client.announced
    ),
)
authorization.register_grant(ByClientCredentials)
authorization.register_grant(ByRefreshToken)
protected = ResourceProtector()
protected.register_token_validator(ByBearerToken())


@app.post("/oauth/token")
def give_token():
    return authorization.create_token_response()


@app.get("/v1/events")
@protected(SCOPE)
def events():
    limit, offset = int(request.args["limit"]), int(request.args["offset"])
    page = range(offset, min(offset + limit, EVENTS))
    return jsonify(items=[{"id": number, "title": f"event {number}"} for number in page], total=EVENTS)


@app.after_request
def count(response):
    with LOCK:
        SEEN[f"{request.path} {response.status_code}"] += 1
    return response


@app.get("/stats")
def stats():
    with LOCK:
        return jsonify(SEEN)


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.port}", flush=True)
sys.stdin.read()
server.shutdown()

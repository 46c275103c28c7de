"""A small API on loopback, for scripts that have the program read what they make up."""

import http.server
import json
import threading
import urllib.parse


class JsonApi(http.server.BaseHTTPRequestHandler):
    """Answers every GET with what `answer` makes of its query."""

    def answer(self, query):
        raise NotImplementedError

    def do_GET(self):
        body = json.dumps(self.answer(urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query))).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(api):
    """Starts `api` on a free port; the server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server

"""Requests as bytes, and what has to become of them.

REFUSED: (name, bytes, status): one response with that status, then the connection is closed, whatever
follows in the bytes. SERVED: (name, bytes, responses): so many responses, none of them a refusal by
the protocol, and the connection stays open unless the last item says "close".
"""

GET = b"GET / HTTP/1.1\r\nHost: {HOST}\r\n"
POST = b"POST / HTTP/1.1\r\nHost: {HOST}\r\n"
END = b"\r\n"
# Behind a refusal: must never be answered.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n"


def fields(*lines):
    """A GET with header lines."""
    return GET + b"".join(line + b"\r\n" for line in lines) + END


def post(*lines, body=b""):
    return POST + b"".join(line + b"\r\n" for line in lines) + END + body


def chunked(body):
    return post(b"Transfer-Encoding: chunked", body=body)


def line(request_line):
    return request_line + b"\r\nHost: {HOST}\r\n\r\n"


REFUSED = [
    # Two ways to see where a body ends.
    ("length and coding", post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nX"), 400),
    ("coding and length", post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\nX"), 400),
    ("two lengths that differ", post(b"Content-Length: 5", b"Content-Length: 6", body=b"abcdef"), 400),
    ("two equal lengths", post(b"Content-Length: 5", b"Content-Length: 5", body=b"abcde"), 400),
    ("list of lengths", post(b"Content-Length: 5, 5", body=b"abcde"), 400),
    ("list of lengths that differ", post(b"Content-Length: 5, 6", body=b"abcde"), 400),
    ("length with plus", post(b"Content-Length: +5", body=b"abcde"), 400),
    ("length with minus", post(b"Content-Length: -5", body=b"abcde"), 400),
    ("length with inner space", post(b"Content-Length: 5 5", body=b"abcde"), 400),
    ("length in hexadecimal", post(b"Content-Length: 0x5", body=b"abcde"), 400),
    ("length with a letter", post(b"Content-Length: 5a", body=b"abcde"), 400),
    ("length with a point", post(b"Content-Length: 5.0", body=b"abcde"), 400),
    ("length empty", post(b"Content-Length:", body=b""), 400),
    ("length of spaces", post(b"Content-Length:    ", body=b""), 400),
    ("length beyond 64 bits", post(b"Content-Length: 18446744073709551621", body=b"abcde"), 400),
    ("length beyond 63 bits", post(b"Content-Length: 9223372036854775808", body=b"abcde"), 400),
    ("length of 400 digits", post(b"Content-Length: " + b"1" * 400, body=b"abcde"), 400),
    ("length with leading zeros past 18 digits", post(b"Content-Length: " + b"0" * 30 + b"5", body=b"abcde"), 400),
    ("length with underscore", post(b"Content-Length: 1_0", body=b"0123456789"), 400),
    ("length in quotes", post(b'Content-Length: "5"', body=b"abcde"), 400),
    ("length with a comma behind", post(b"Content-Length: 5,", body=b"abcde"), 400),
    # Codings.
    ("coding twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ("coding twice, one identity", post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked",
                                        body=b"0\r\n\r\n"), 400),
    ("coding list", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 400),
    ("coding chunked not last", post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"), 400),
    ("coding identity", post(b"Transfer-Encoding: identity", body=b""), 400),
    ("coding unknown", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    ("coding with a tail", post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n"), 400),
    ("coding with a parameter", post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"), 400),
    ("coding empty", post(b"Transfer-Encoding:", body=b"0\r\n\r\n"), 400),
    ("coding with leading vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    ("coding in quotes", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    ("coding with a comma in front", post(b"Transfer-Encoding: ,chunked", body=b"0\r\n\r\n"), 400),
    ("coding in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # Ends of lines.
    ("lone LF everywhere", b"GET / HTTP/1.1\nHost: {HOST}\n\n", 400),
    ("lone LF behind the request line", b"GET / HTTP/1.1\nHost: {HOST}\r\n\r\n", 400),
    ("lone LF behind a field", GET + b"A: b\nC: d\r\n\r\n", 400),
    ("lone LF at the end", b"GET / HTTP/1.1\r\nHost: {HOST}\r\n\n", 400),
    ("lone CR in a value", fields(b"A: b\rc"), 400),
    ("lone CR in a name", fields(b"A\rb: c"), 400),
    ("lone CR behind the request line", b"GET / HTTP/1.1\rHost: {HOST}\r\n\r\n", 400),
    ("lone CR at the end", GET + b"\rX", 400),
    ("two CR", b"GET / HTTP/1.1\r\r\nHost: {HOST}\r\n\r\n", 400),
    ("two empty lines in front", b"\r\n\r\n" + GET + END, 400),
    ("lone LF in front", b"\n" + GET + END, 400),
    # Folding and spaces.
    ("folded with space", fields(b"A: b", b" c"), 400),
    ("folded with tab", fields(b"A: b", b"\tc"), 400),
    ("folded first field", b"GET / HTTP/1.1\r\n Host: {HOST}\r\n\r\n", 400),
    ("folded coding", post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400),
    ("line of one space", fields(b" "), 400),
    ("space before the colon", fields(b"A : b"), 400),
    ("tab before the colon", fields(b"A\t: b"), 400),
    ("space before the coding's colon", post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), 400),
    ("space before the length's colon", post(b"Content-Length : 5", body=b"abcde"), 400),
    ("space in a name", fields(b"A b: c"), 400),
    # Names and values.
    ("no colon", fields(b"Abc"), 400),
    ("empty name", fields(b": b"), 400),
    ("name with a parenthesis", fields(b"A(b: c"), 400),
    ("name with a comma", fields(b"A,b: c"), 400),
    ("name with a slash", fields(b"A/b: c"), 400),
    ("name with an at sign", fields(b"A@b: c"), 400),
    ("name in quotes", fields(b'"A": c'), 400),
    ("name with a byte above ASCII", fields(b"A\xc3\xa9: c"), 400),
    ("NUL in a value", fields(b"A: b\0c"), 400),
    ("NUL in a name", fields(b"A\0b: c"), 400),
    ("NUL in the target", line(b"GET /\0 HTTP/1.1"), 400),
    ("backspace in a value", fields(b"A: b\x08c"), 400),
    ("escape in a value", fields(b"A: b\x1bc"), 400),
    ("DEL in a value", fields(b"A: b\x7fc"), 400),
    ("vertical tab in a value", fields(b"A: b\x0bc"), 400),
    ("form feed in a value", fields(b"A: b\x0cc"), 400),
    ("control byte in front of everything", b"\x01" + GET + END, 400),
    # Hosts.
    ("no host", b"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400),
    ("no field at all", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two hosts", fields(b"Host: other"), 400),
    ("two equal hosts", fields(b"Host: {HOST}"), 400),
    ("empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("host with user", b"GET / HTTP/1.1\r\nHost: a@{HOST}\r\n\r\n", 400),
    ("host with path", b"GET / HTTP/1.1\r\nHost: {HOST}/a\r\n\r\n", 400),
    ("host with query", b"GET / HTTP/1.1\r\nHost: {HOST}?a\r\n\r\n", 400),
    ("host with space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("host list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("host with a port of letters", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    ("host with an empty port", b"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400),
    ("host with a long port", b"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400),
    ("host of brackets", b"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400),
    ("host with an open bracket", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    ("host escaped", b"GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", 400),
    ("no host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", 400),
    # Targets.
    ("absolute target, other host", line(b"GET https://other.example/ HTTP/1.1"), 400),
    ("absolute target, user", line(b"GET https://a@{HOST}/ HTTP/1.1"), 400),
    ("absolute target, plain http", line(b"GET http://{HOST}/ HTTP/1.1"), 400),
    ("absolute target, other scheme", line(b"GET ftp://{HOST}/ HTTP/1.1"), 400),
    ("target without slash", line(b"GET index.html HTTP/1.1"), 400),
    ("target asterisk", line(b"OPTIONS * HTTP/1.1"), 400),
    ("target empty", line(b"GET  HTTP/1.1"), 400),
    ("target with fragment", line(b"GET /a#b HTTP/1.1"), 400),
    ("target with space", line(b"GET /a b HTTP/1.1"), 400),
    ("target with tab", line(b"GET /a\tb HTTP/1.1"), 400),
    ("target with a byte above ASCII", line(b"GET /\xe3\x81\x82 HTTP/1.1"), 400),
    ("target with half an escape", line(b"GET /%4 HTTP/1.1"), 400),
    ("target with a broken escape", line(b"GET /%zz HTTP/1.1"), 400),
    ("target with an escaped NUL", line(b"GET /%00 HTTP/1.1"), 400),
    ("query with a broken escape", line(b"GET /?a=%g1 HTTP/1.1"), 400),
    ("target with a backslash", line(b"GET /a\\b HTTP/1.1"), 400),
    ("target with quotes", line(b'GET /"a" HTTP/1.1'), 400),
    ("target with angle brackets", line(b"GET /<a> HTTP/1.1"), 400),
    ("target with braces", line(b"GET /{a} HTTP/1.1"), 400),
    # Request lines.
    ("two spaces behind the method", line(b"GET  / HTTP/1.1"), 400),
    ("two spaces behind the target", line(b"GET /  HTTP/1.1"), 400),
    ("tab behind the method", line(b"GET\t/ HTTP/1.1"), 400),
    ("space in front", line(b" GET / HTTP/1.1"), 400),
    ("space behind the version", line(b"GET / HTTP/1.1 "), 400),
    ("no version", line(b"GET /"), 400),
    ("version 0.9", line(b"GET / HTTP/0.9"), 505),
    ("version 1.2", line(b"GET / HTTP/1.2"), 400),
    ("version 2.0", line(b"GET / HTTP/2.0"), 505),
    ("version 1.10", line(b"GET / HTTP/1.10"), 400),
    ("version in small letters", line(b"GET / http/1.1"), 400),
    ("version of another protocol", line(b"GET / RTSP/1.0"), 400),
    ("method in small letters", line(b"get / HTTP/1.1"), 400),
    ("method unknown to everybody", line(b"FETCH / HTTP/1.1"), 400),
    ("method of another protocol", line(b"PROPFIND / HTTP/1.1"), 501),
    ("method with a colon", line(b"GE:T / HTTP/1.1"), 400),
    ("TRACE", line(b"TRACE / HTTP/1.1"), 400),
    ("CONNECT", line(b"CONNECT {HOST} HTTP/1.1"), 400),
    ("CONNECT with a path", line(b"CONNECT / HTTP/1.1"), 400),
    ("HTTP/2 preface over HTTP/1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("TLS hello inside TLS", b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 400),
    # Sizes.
    ("101 fields", fields(*(b"A%d: b" % i for i in range(100))), 400),
    ("line of 8193 bytes", fields(b"A: " + b"b" * 8190), 400),
    ("target of 9000 bytes", line(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 400),
    ("name of 9000 bytes", fields(b"A" * 9000 + b": b"), 400),
    ("head of 33 KiB", fields(*(b"A%d: " % i + b"b" * 8000 for i in range(5))), 400),
    ("head without end", GET + b"A: " + b"b" * 40000, 400),
    # Expectations.
    ("expectation unknown", post(b"Expect: 200-maybe", b"Content-Length: 5", body=b"abcde"), 417),
    ("expectation twice", post(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 5",
                               body=b"abcde"), 400),
]

# The body is wrong: the application, which has seen the head, may have answered before; what counts
# is that nothing behind the body is answered and the connection closes.
BROKEN_BODIES = [
    ("size not hexadecimal", chunked(b"g\r\nabc\r\n0\r\n\r\n")),
    ("size empty", chunked(b"\r\nabc\r\n0\r\n\r\n")),
    ("size with plus", chunked(b"+3\r\nabc\r\n0\r\n\r\n")),
    ("size with minus", chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    ("size with 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    ("size with leading space", chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    ("size with trailing space", chunked(b"3 \r\nabc\r\n0\r\n\r\n")),
    ("size with trailing tab", chunked(b"3\t\r\nabc\r\n0\r\n\r\n")),
    ("size with underscore", chunked(b"0_3\r\nabc\r\n0\r\n\r\n")),
    ("size of 17 digits", chunked(b"00000000000000003\r\nabc\r\n0\r\n\r\n")),
    ("size beyond 64 bits", chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n")),
    ("size of 2^63", chunked(b"8000000000000000\r\nabc\r\n0\r\n\r\n")),
    ("lone LF behind the size", chunked(b"3\nabc\r\n0\r\n\r\n")),
    ("lone CR behind the size", chunked(b"3\rabc\r\n0\r\n\r\n")),
    ("lone LF behind the data", chunked(b"3\r\nabc\n0\r\n\r\n")),
    ("data longer than its size", chunked(b"3\r\nabcd\r\n0\r\n\r\n")),
    ("data shorter than its size", chunked(b"5\r\nabc\r\n0\r\n\r\n")),
    ("extension of 257 bytes", chunked(b"3;" + b"a" * 257 + b"\r\nabc\r\n0\r\n\r\n")),
    ("extension with a lone LF", chunked(b"3;a\nabc\r\n0\r\n\r\n")),
    ("extension with a lone CR", chunked(b"3;a\rb\r\nabc\r\n0\r\n\r\n")),
    ("extension with NUL", chunked(b"3;a\0\r\nabc\r\n0\r\n\r\n")),
    ("trailer folded", chunked(b"0\r\nA: b\r\n c\r\n\r\n")),
    ("trailer without colon", chunked(b"0\r\nAbc\r\n\r\n")),
    ("trailer with space before the colon", chunked(b"0\r\nA : b\r\n\r\n")),
    ("trailer with a lone LF", chunked(b"0\r\nA: b\n\r\n")),
    ("trailer with NUL", chunked(b"0\r\nA: \0\r\n\r\n")),
    ("trailers of 9000 bytes", chunked(b"0\r\nA: " + b"b" * 9000 + b"\r\n\r\n")),
    ("lone LF at the end", chunked(b"0\r\n\n")),
    ("a request instead of the last line", chunked(b"0\r\nGET / HTTP/1.1\r\n\r\n")),
]

SERVED = [
    ("plain", GET + END, 1),
    ("one empty line in front", b"\r\n" + GET + END, 1),
    ("field without a space", b"GET / HTTP/1.1\r\nHost:{HOST}\r\n\r\n", 1),
    ("field with much space", b"GET / HTTP/1.1\r\nHost: \t  {HOST}  \t \r\n\r\n", 1),
    ("empty field", fields(b"A:"), 1),
    ("value above ASCII", fields("A: かな".encode()), 1),
    ("tab in a value", fields(b"A: b\tc"), 1),
    ("99 more fields", fields(*(b"A%d: b" % i for i in range(99))), 1),
    ("line of 8192 bytes", fields(b"A: " + b"b" * 8189), 1),
    ("three pipelined", (GET + END) * 3, 3),
    ("thirty pipelined", (GET + END) * 30, 30),
    ("names in odd letters", b"GET / HTTP/1.1\r\nhOsT: {HOST}\r\ncOnNeCtIoN: keep-alive\r\n\r\n", 1),
    ("absolute target", line(b"GET https://{HOST}/ HTTP/1.1"), 1),
    ("absolute target without a path", line(b"GET https://{HOST} HTTP/1.1"), 1),
    ("absolute target, scheme in capitals", line(b"GET HTTPS://{HOST}/ HTTP/1.1"), 1),
    ("host with another port", b"GET / HTTP/1.1\r\nHost: example.test:1\r\n\r\n", 1),
    ("host as IPv6", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n", 1),
    ("query with everything", line(b"GET /?a=b&c=/?:@!$'()*+,;=-._~%20%E3%81%82 HTTP/1.1"), 1),
    ("method HEAD", b"HEAD / HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "head"),
    ("method OPTIONS", line(b"OPTIONS / HTTP/1.1"), 1),
    ("upgrade is ignored", fields(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                                  b"HTTP2-Settings: AAMAAABkAAQAAP__"), 1),
    ("websocket is ignored", fields(b"Connection: Upgrade", b"Upgrade: websocket",
                                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13"), 1),
    ("length zero", post(b"Content-Length: 0"), 1),
    ("length zero, then another", post(b"Content-Length: 0") + GET + END, 2),
    ("HTTP/1.0", b"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n", "close"),
    ("HTTP/1.0 with keep-alive", b"GET / HTTP/1.0\r\nHost: {HOST}\r\nConnection: keep-alive\r\n\r\n", "close"),
    ("connection close", fields(b"Connection: close"), "close"),
    ("connection close in a list", fields(b"Connection: foo, Close"), "close"),
    ("connection close, pipelined behind", fields(b"Connection: close") + SMUGGLED, "close"),
]

package pubnub

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// The segments of POST and GET /publish/…, split at slashes.
const (
	signature = 4
	payload   = 7
)

// rewrite keeps the escapes of an address, because a value in it may hold slashes. The signature is nobody's business here, whatever it says, and the rest of a publish
// address is the payload, also when somebody wrote its slashes plainly.
func rewrite(r *http.Request) *http.Request {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	parts := strings.SplitN(path, "/", payload+1)
	switch {
	case isFirst(path, "/publish/") && len(parts) > signature:
		parts[signature] = "0"
		if len(parts) > payload {
			parts[payload] = strings.ReplaceAll(parts[payload], "/", "%2F")
		}
		path = strings.Join(parts, "/")
	case isFirst(path, "/v2/presence/sub_key/"): // clients differ
		path = strings.Replace(path, "sub_key", "sub-key", 1)
	case !isFirst(path, "/subscribe/") && !isFirst(path, "/v2/subscribe/") && !isFirst(path, "/v2/presence/") && !isFirst(path, "/time/"):
		return nil
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil // it came in unescaped, so this does not happen
	}
	copied, address := *r, *r.URL
	address.Path, address.RawPath = plain, path
	copied.URL = &address
	return &copied
}

func isFirst(path, prefix string) bool { return strings.HasPrefix(path, prefix) }

// harmless is a name that can do nothing but be called.
var harmless = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*$`)

const longestCallback = 100

// callbackOf is the function that the answer to an address is to be handed to, "" for none, or none that may be.
func callbackOf(path string) string {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	at := map[string]int{"publish": 6, "subscribe": 4, "time": 2, "v2": 5}[parts[min(1, len(parts)-1)]]
	if at == 0 || at >= len(parts) || parts[1] == "v2" && parts[2] != "subscribe" {
		return ""
	}
	name, err := url.PathUnescape(parts[at])
	if err != nil || len(name) > longestCallback || !harmless.MatchString(name) {
		return ""
	}
	return name
}

func checkCallback(name string) error {
	if name != "0" && (len(name) > longestCallback || !harmless.MatchString(name)) {
		return fault.Of(fault.Invalid, "callback", "The callback must be 0 or the name of a function, of at most %d letters.", longestCallback)
	}
	return nil
}

func contentType(r *http.Request) string {
	if callbackOf(r.URL.EscapedPath()) != "" {
		return "application/javascript"
	}
	return "application/json"
}

// answer hands a body to the callback of the address, if it names one.
func answer(call *op.Call, out any) any {
	path, _, _ := strings.Cut(call.URL, "?")
	name := callbackOf(path)
	if name == "" || call.Row.ID == "" {
		return out
	}
	text, err := json.Marshal(out)
	if err != nil {
		return out // fails again where failures are answered
	}
	return op.Verbatim(name + "(" + string(text) + ")")
}

// document is a message in a body, as the one member of an object: it may be of any JSON type.
func document(r *http.Request, body []byte) ([]byte, error) {
	body, err := unpacked(r.Header.Get("Content-Encoding"), body)
	if fault.Is(err, fault.Limit) {
		return nil, err
	}
	if err != nil || !json.Valid(body) {
		return nil, fault.Of(fault.Invalid, "message", "The message in the body is not JSON.").With(err)
	}
	return append(append([]byte(`{"message":`), body...), '}'), nil
}

// mostUnpacked is more than any message may have, so that the hub refuses what is too large in its own words.
const mostUnpacked = 64 << 10

// unpacked is a body as it was before the client packed it, which some do with every message in a body.
func unpacked(encoding string, body []byte) ([]byte, error) {
	var reader io.Reader
	var err error
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // HTTP's name for zlib
		reader, err = zlib.NewReader(bytes.NewReader(body))
	default:
		err = fmt.Errorf("a body packed by %.20q", encoding)
	}
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(reader, mostUnpacked+1))
	if len(plain) > mostUnpacked {
		return nil, fault.Of(fault.Limit, "message", "The message in the body is too large.")
	}
	return plain, err
}

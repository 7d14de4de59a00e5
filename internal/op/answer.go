package op

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/neap-cloud/neap/internal/fault"
)

// refusal of HTTP itself: its status is the same in every dialect.
type httpError struct {
	status int
	fault  *fault.Error
}

func (e *httpError) Error() string { return e.fault.Error() }
func (e *httpError) Unwrap() error { return e.fault }

func refuseWith(status int, f *fault.Error) error { return &httpError{status, f} }

// answer writes a success in the dialect's envelope.
func (x *exchange) answer(out any) {
	status := x.route.row.Status
	if status == 0 {
		status = http.StatusOK
	}
	header := x.Header()
	if x.call.DryRun {
		header.Set("Neap-Dry-Run", "true")
		if x.call.Decision != "" {
			header.Set("Neap-Decision", x.call.Decision)
		}
	}
	body := any(out)
	if wrap := x.route.dialect.Answer; wrap != nil {
		body = wrap(&x.call, out)
	}
	text, err := encode(body)
	if err != nil {
		x.refuse(err)
		return
	}
	x.send(status, text)
}

// refuse writes a failure in the envelope of the dialect that the request belongs to, or a neutral one.
func (x *exchange) refuse(err error) {
	x.fault = fault.As(err)
	status := x.statusOf(err)
	if status == http.StatusUnauthorized {
		challenge := "Bearer"
		if x.dialect != nil {
			challenge = orElse(x.dialect.Challenge, challenge)
		}
		x.Header().Set("WWW-Authenticate", challenge)
	}
	if x.call.DryRun {
		x.Header().Set("Neap-Dry-Run", "true")
	}
	text, err := encode(x.refusalBody(status))
	if err != nil {
		x.server.log.Error("the body of a refusal cannot be written", "request", x.call.ID, "error", err)
		text = []byte("{}\n")
	}
	x.send(status, text)
}

// refusalBody is what the client is told of x.fault.
func (x *exchange) refusalBody(status int) any {
	if x.dialect != nil && x.dialect.Refuse != nil {
		return x.dialect.Refuse(&x.call, status, x.fault)
	}
	return neutral(&x.call, status, x.fault)
}

// neutral is the body of a refusal that belongs to no dialect.
func neutral(call *Call, status int, f *fault.Error) any {
	return map[string]any{"error": map[string]any{"status": status, "kind": f.Kind, "message": f.Message, "request": call.ID}}
}

func encode(body any) ([]byte, error) {
	if text, is := body.(Verbatim); is {
		return text, nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, fault.As(err)
	}
	return out.Bytes(), nil
}

func (x *exchange) send(status int, text []byte) {
	header := x.Header()
	header["Content-Type"] = []string{x.contentType}
	header["Content-Length"] = []string{strconv.Itoa(len(text))}
	header["Cache-Control"] = []string{"no-store"}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	x.WriteHeader(status)
	if _, err := x.Write(text); err != nil {
		x.server.log.Debug("the client did not take the answer", "request", x.call.ID, "error", err)
	}
}

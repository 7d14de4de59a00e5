package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	answerLimit   = 256 << 20
	answerTimeout = 2 * time.Minute
)

// client asks one Neap. It keeps nothing between requests.
type client struct {
	base           *url.URL
	token, account string
	agent          string // what it calls itself in the server's audit
	http           *http.Client
}

func newClient(base *url.URL, token, account, version string) *client {
	return &client{base: base, token: token, account: account, agent: "neap-cli/" + cmp.Or(version, "dev"), http: &http.Client{Timeout: answerTimeout}}
}

// request is one question. Path is below the server's address, with its parameters already escaped.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	key          string // Idempotency-Key; "" = none
	dryRun       bool
}

func get(path string, query url.Values) request {
	return request{method: http.MethodGet, path: path, query: query}
}

// post sends a value as JSON.
func post(path string, value any) (request, error) {
	body, err := json.Marshal(value)
	return request{method: http.MethodPost, path: path, body: body}, err
}

// answer is a success.
type answer struct {
	body     []byte
	decision string // of a dry run: the stored plan
}

// unreachable says that no server answered at all, so that asking again may help.
type unreachable struct {
	at    string
	cause error
}

func (e *unreachable) Error() string {
	return fmt.Sprintf("No Neap answers at %s (%v). Start one with `neap up`, or name another with --url or NEAP_URL.", e.at, e.cause)
}
func (e *unreachable) Unwrap() error { return e.cause }

// request is r as it is sent.
func (c *client) request(ctx context.Context, r request) (*http.Request, error) {
	query := url.Values{}
	for name, values := range r.query {
		query[name] = values
	}
	if c.account != "" && !query.Has("accountId") {
		query.Set("accountId", c.account)
	}
	target := strings.TrimSuffix(c.base.String(), "/") + r.path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.dryRun {
		req.Header.Set("Neap-Dry-Run", "true")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return req, nil
}

// open asks for an answer that may take for ever; whoever reads it closes it.
func (c *client) open(ctx context.Context, r request) (io.ReadCloser, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	patient := *c.http
	patient.Timeout = 0
	res, err := patient.Do(req)
	if err != nil {
		return nil, c.noAnswer(err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
		return nil, errors.Join(c.refused(res.StatusCode, body), err, res.Body.Close())
	}
	return res.Body, nil
}

// do asks, and turns everything but a success into an error.
func (c *client) do(ctx context.Context, r request) (answer, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.noAnswer(err)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return answer{}, c.noAnswer(err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return answer{}, c.refused(res.StatusCode, body)
	}
	return answer{body: body, decision: res.Header.Get("Neap-Decision")}, nil
}

// noAnswer drops the URL that net/http puts before its errors: the query may be long, and the address is named anyway.
func (c *client) noAnswer(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &unreachable{at: c.base.Redacted(), cause: err}
}

// envelope is what items come in: the Spot envelope, or Neap's own with items at the top.
type envelope struct {
	Response *struct {
		Items []json.RawMessage `json:"items"`
	} `json:"response"`
	Items []json.RawMessage `json:"items"`
}

// problem is what a failure comes in, in the Spot envelope or in Neap's own.
type problem struct {
	Request  requestID     `json:"request"`
	Errors   []remoteFault `json:"errors"`
	Response struct {
		Errors []remoteFault `json:"errors"`
	} `json:"response"`
}

// requestID is the server's name for a request: a string, or the id of an object.
type requestID string

func (id *requestID) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(id))
	}
	var object struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(raw, &object)
	*id = requestID(object.ID)
	return err
}

func (c *client) refused(status int, body []byte) error {
	e := &refusal{status: status}
	var sent problem
	// A body that is not ours (a proxy's page, say) holds no faults and is shown as it is.
	if err := json.Unmarshal(body, &sent); err == nil {
		e.request = string(sent.Request)
		e.faults = append(sent.Errors, sent.Response.Errors...)
	}
	if len(e.faults) == 0 {
		e.faults = []remoteFault{{Message: fmt.Sprintf("The server answered %d %s: %s", status, http.StatusText(status), excerpt(body))}}
	}
	if status == http.StatusUnauthorized {
		e.hint = "Give a token with --token or NEAP_TOKEN, or name the data folder of a Neap on this machine with --data."
		if c.token == "" {
			e.hint = "No token was sent. " + e.hint
		}
	}
	return e
}

// items are the things that an answer holds; an answer without an envelope is one thing.
func (a answer) items() ([]json.RawMessage, error) {
	var sent envelope
	if err := json.Unmarshal(a.body, &sent); err != nil {
		return nil, fmt.Errorf("the server's answer is no JSON object (%w): %s", err, excerpt(a.body))
	}
	switch {
	case sent.Response != nil:
		return sent.Response.Items, nil
	case sent.Items != nil:
		return sent.Items, nil
	}
	return []json.RawMessage{a.body}, nil
}

// decode reads items into views of type T.
func decode[T any](items []json.RawMessage) ([]T, error) {
	views := make([]T, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item, &views[i]); err != nil {
			return nil, fmt.Errorf("the server's answer has an unexpected form: %w", err)
		}
	}
	return views, nil
}

func excerpt(body []byte) string {
	const length = 200
	short := strings.Join(strings.Fields(string(body)), " ")
	if len(short) > length {
		short = strings.ToValidUTF8(short[:length], "") + "…"
	}
	return short
}

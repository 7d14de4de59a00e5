// Package session is what commands that live in packages of their own ask of the command line around them.
//
// It owns that contract, and how answers are read. It must not know any command, nor how the server is reached. Start reading at Session.
package session

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// Session is the command line around a command.
type Session interface {
	// Ask asks the server; a refusal is an error.
	Ask(ctx context.Context, q Question) (json.RawMessage, error)
	// Now is the server's time.
	Now(ctx context.Context) time.Time
	// Check refuses an output format that is neither usual nor one of these.
	Check(more ...string) error
	// Format is the one that was asked for.
	Format() string
	// Print shows a page; Show fetches it first, again and again if that was asked for.
	Print(cmd *cobra.Command, p Page) error
	Show(cmd *cobra.Command, fetch func(ctx context.Context) (Page, error)) error
	// Usage is the error of a command line that cannot be carried out.
	Usage(sentence string) error
}

// Question is one request.
type Question struct {
	Method, Path string
	Query        url.Values
	Body         any    // nil = none
	Key          string // makes what may be sent twice happen once; "" = it may happen twice
	DryRun       bool
}

// Page is something to show: as JSON, or for people.
type Page struct {
	Raw  json.RawMessage
	Text func(w io.Writer, wide bool) error
}

// Code ends the process with an exit code of its own; what there was to say has been said.
type Code int

func (c Code) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Ask makes a request that is answered with a T.
func Ask[T any](ctx context.Context, s Session, q Question) (answer T, raw json.RawMessage, err error) {
	if raw, err = s.Ask(ctx, q); err != nil {
		return answer, nil, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, nil, fmt.Errorf("the server's answer has an unexpected form: %w", err)
	}
	return answer, raw, nil
}

// List asks for a page of items; next fetches the one after it, as after=, and is "" at the end.
func List[T any](ctx context.Context, s Session, path string, query url.Values) (items []T, raw json.RawMessage, next string, err error) {
	sent, _, err := Ask[struct {
		Items json.RawMessage `json:"items"`
		Next  string          `json:"next"`
	}](ctx, s, Question{Method: http.MethodGet, Path: path, Query: query})
	if err != nil {
		return nil, nil, "", err
	}
	if err := json.Unmarshal(sent.Items, &items); err != nil {
		return nil, nil, "", fmt.Errorf("the server's answer has an unexpected form: %w", err)
	}
	return items, sent.Items, sent.Next, nil
}

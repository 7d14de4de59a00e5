package compose

import (
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// statuses gives each kind of fault its HTTP status. Clients repeat a request that gets 429 or 5xx, so that no lasting fault may have one.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusUnprocessableEntity,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Denied:          http.StatusForbidden,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusUnprocessableEntity,
		fault.Exists:          http.StatusUnprocessableEntity,
		fault.Limit:           http.StatusUnprocessableEntity,
		fault.Unavailable:     http.StatusServiceUnavailable,
		fault.Internal:        http.StatusInternalServerError,
	}
}

// closing is the row that asks for payment: what still runs in an account has to be paid before it is closed.
const closing = "accounts.close"

// exception is for bodies that are no JSON, and for accounts that cannot be closed.
func exception(call *op.Call, err *fault.Error) int {
	switch {
	case err.Kind == fault.Invalid && (err.Noun == "body" || call.Row.Open):
		return http.StatusBadRequest
	case err.Kind == fault.Conflict && call.Row.ID == closing && err.Noun == "account":
		return http.StatusPaymentRequired
	case err.Kind == fault.Conflict && call.Row.ID == closing:
		return http.StatusForbidden
	}
	return 0
}

// refusal is the body of a failure: a code, or sentences by field.
type refusal struct {
	Errors any `json:"errors"`
}

// refuse answers with a code where there is nothing to mend, and else with a sentence for each fault.
func refuse(_ *op.Call, status int, err *fault.Error) any {
	code := map[int]string{
		http.StatusUnauthorized: "invalid_token", http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "method_not_allowed",
		http.StatusTooManyRequests: "too_many_requests", http.StatusServiceUnavailable: "unavailable", http.StatusInternalServerError: "internal_error",
	}[status]
	if code != "" {
		return refusal{code}
	}
	sentences := map[string][]string{}
	for _, one := range append([]*fault.Error{err}, err.Others...) {
		about := fieldOf(one)
		sentences[about] = append(sentences[about], one.Message)
	}
	return refusal{sentences}
}

// fieldOf is what a fault is about, in this API's words: fields stand without the object around them.
func fieldOf(err *fault.Error) string {
	if err.Field == "" {
		switch err.Noun {
		case "", "field":
			return "body"
		case "organisation":
			return "account"
		case "user group":
			return "team"
		}
		return err.Noun
	}
	field := err.Field[strings.LastIndexByte(err.Field, '.')+1:]
	if spelled := map[string]string{"userIds": "user_ids", "after": "cursor"}[field]; spelled != "" {
		return spelled
	}
	return field
}

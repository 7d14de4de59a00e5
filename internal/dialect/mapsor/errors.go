package mapsor

import (
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// statuses gives each kind of fault its HTTP status; this API has six of them.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusBadRequest,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Denied:          http.StatusForbidden,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusBadRequest,
		fault.Exists:          http.StatusConflict,
		fault.Limit:           http.StatusBadRequest,
		fault.Unavailable:     http.StatusInternalServerError,
		fault.Internal:        http.StatusInternalServerError,
	}
}

// exception is for users, of whom this API says in the same way that they are not there and that they cannot be.
func exception(_ *op.Call, err *fault.Error) int {
	if err.Kind == fault.NotFound && err.Noun == "user" {
		return http.StatusBadRequest
	}
	return 0
}

// outcome is what every answer may hold; a success holds an empty one.
type outcome struct {
	Error problem `json:"error"`
}

type problem struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

type cause struct {
	kind fault.Kind
	noun string // "" = every noun that has no line of its own
}

func codeOf(err *fault.Error) string {
	codes := map[cause]string{
		{fault.Invalid, ""}:               "BAD_REQUEST",
		{fault.Unauthenticated, ""}:       "UNAUTHORIZED",
		{fault.Denied, ""}:                "FORBIDDEN",
		{fault.NotFound, ""}:              "NOT_FOUND",
		{fault.NotFound, "user"}:          "USER_NOT_FOUND",
		{fault.Conflict, ""}:              "CONFLICT",
		{fault.Conflict, "administrator"}: "LAST_ADMIN",
		{fault.Conflict, "state"}:         "BAD_STATE",
		{fault.Conflict, "key"}:           "KEY_USED",
		{fault.Exists, ""}:                "EXISTS",
		{fault.Exists, "name"}:            "USER_EXISTS",
		{fault.Limit, ""}:                 "LIMIT_EXCEEDED",
		{fault.Unavailable, ""}:           "UNAVAILABLE",
		{fault.Internal, ""}:              "INTERNAL_ERROR",
	}
	if code, ok := codes[cause{err.Kind, err.Noun}]; ok {
		return code
	}
	return codes[cause{err.Kind, ""}]
}

// refuse says all that is wrong in one message: the body has room for one.
func refuse(_ *op.Call, _ int, err *fault.Error) any {
	var sentences []string
	for _, one := range append([]*fault.Error{err}, err.Others...) {
		sentences = append(sentences, one.Sentence())
	}
	return outcome{problem{codeOf(err), strings.Join(sentences, " ")}}
}

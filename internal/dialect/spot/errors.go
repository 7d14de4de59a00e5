package spot

import (
	"net/http"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// wrong is one fault on the wire. Code is always text: clients cannot read a number.
type wrong struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// statuses gives each kind of fault its HTTP status: this API says 400 to nearly everything, a missing object included.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusBadRequest,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Denied:          http.StatusForbidden,
		fault.NotFound:        http.StatusBadRequest,
		fault.Conflict:        http.StatusBadRequest,
		fault.Exists:          http.StatusBadRequest,
		fault.Limit:           http.StatusTooManyRequests,
		fault.Unavailable:     http.StatusServiceUnavailable,
		fault.Internal:        http.StatusInternalServerError,
	}
}

type cause struct {
	kind fault.Kind
	noun string // "" = every noun that has no line of its own
}

// codes names faults as clients know them. Clients take an object for gone by its code alone, and repeat some requests for ever on others
// (InvalidParameterValue, CANT_CREATE_GROUP, CANT_VALIDATE_IMAGE, CANT_ROLL_CAPACITY_BELOW_MINIMUM): those stay out of this table.
func codes() map[cause]string {
	return map[cause]string{
		{fault.Invalid, ""}:                 "INVALID_REQUEST",
		{fault.Invalid, "field"}:            "INVALID_FIELD",
		{fault.Invalid, "capacity"}:         "INVALID_CAPACITY",
		{fault.Unauthenticated, ""}:         "UNAUTHORIZED",
		{fault.Denied, ""}:                  "FORBIDDEN",
		{fault.NotFound, ""}:                "DOESNT_EXIST",
		{fault.NotFound, "group"}:           "GROUP_DOESNT_EXIST",
		{fault.NotFound, "instance"}:        "INSTANCE_DOESNT_EXIST",
		{fault.NotFound, "account"}:         "Account_DOESNT_EXIST",
		{fault.NotFound, "operation"}:       "OPERATION_DOESNT_EXIST",
		{fault.NotFound, "credentials"}:     "Account_DOESNT_EXIST",
		{fault.NotFound, "service account"}: "ServiceAccount_DOESNT_EXIST",
		{fault.NotFound, "user"}:            "USER_DOESNT_EXIST",
		{fault.NotFound, "user group"}:      "USER_GROUP_DOESNT_EXIST",
		{fault.NotFound, "policy"}:          "POLICY_DOESNT_EXIST",
		{fault.NotFound, "organisation"}:    "ORGANIZATION_DOESNT_EXIST",
		{fault.Invalid, "external id"}:      "INVALID_EXTERNAL_ID",
		{fault.Conflict, "default account"}: "CANT_DELETE_DEFAULT_ACCOUNT",
		{fault.Conflict, ""}:                "CONFLICT",
		{fault.Exists, ""}:                  "ALREADY_EXISTS",
		{fault.Limit, ""}:                   "TOO_MANY_REQUESTS",
		{fault.Unavailable, ""}:             "SERVICE_UNAVAILABLE",
		{fault.Internal, ""}:                "INTERNAL_ERROR",
	}
}

func codeOf(err *fault.Error) string {
	table := codes()
	if code, ok := table[cause{err.Kind, err.Noun}]; ok {
		return code
	}
	return table[cause{err.Kind, ""}]
}

// refuse wraps a failure and everything else that is wrong with the same request.
func refuse(call *op.Call, code int, err *fault.Error) any {
	body := envelope{
		Request:  requestOf(call),
		Response: response{Status: status{code, http.StatusText(code)}},
	}
	for _, one := range append([]*fault.Error{err}, err.Others...) {
		body.Response.Errors = append(body.Response.Errors, wrong{Code: codeOf(one), Message: one.Sentence(), Field: one.Field})
	}
	if code == http.StatusTooManyRequests {
		body.Response.Data = "Rate limit exceeded"
	}
	return body
}

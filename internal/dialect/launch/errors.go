package launch

import (
	"errors"
	"net/http"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/single"
	"github.com/neap-cloud/neap/internal/op"
)

// statuses gives each kind of fault its HTTP status; whatever the cloud fails at is 408 in this API.
func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusBadRequest,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Denied:          http.StatusForbidden,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusRequestTimeout,
		fault.Exists:          http.StatusRequestTimeout,
		fault.Limit:           http.StatusRequestTimeout,
		fault.Unavailable:     http.StatusRequestTimeout,
		fault.Internal:        http.StatusInternalServerError,
	}
}

// exception is for refusals of the cloud, whatever they mean, and for ids of instances that cannot be: they read like missing ones.
func exception(_ *op.Call, err *fault.Error) int {
	if err.Field == "instanceId" {
		return http.StatusNotFound
	}
	if _, is := errors.AsType[*single.Refused](err); is {
		return http.StatusRequestTimeout
	}
	return 0
}

// wrong is the body of every refusal.
type wrong struct {
	Error   string   `json:"error"`
	Code    string   `json:"code,omitempty"`   // the cloud's
	Detail  string   `json:"detail,omitempty"` // what the cloud said, or what an argument should have been
	Missing []string `json:"missing,omitempty"`
}

func refuse(call *op.Call, status int, err *fault.Error) any {
	if refused, is := errors.AsType[*single.Refused](err); is {
		return wrong{Error: failing(call), Code: refused.Code, Detail: refused.Detail}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return wrong{Error: failing(call), Code: "Unavailable", Detail: err.Sentence()}
	case err.Kind == fault.NotFound && err.Noun == "instance", err.Field == "instanceId":
		return wrong{Error: "Instance ID not found"}
	case err.Kind == fault.NotFound && err.Noun == "attribute":
		return wrong{Error: "Unknown field"}
	case err.Kind == fault.Invalid && err.Field != "":
		return unusable(err)
	}
	return wrong{Error: err.Sentence()}
}

func failing(call *op.Call) string {
	switch {
	case !call.Row.Mutates:
		return "Error while reading via EC2 API"
	case call.Row.N == 1:
		return "Error while running via EC2 API"
	}
	return "Error while modifying via EC2 API"
}

// unusable names the arguments that are missing or malformed, and says of the malformed ones what is wrong.
func unusable(err *fault.Error) wrong {
	w := wrong{Error: "Required arguments not provided"}
	for _, one := range append([]*fault.Error{err}, err.Others...) {
		w.Missing = append(w.Missing, one.Field)
		if one.Message == absent {
			continue
		}
		if w.Detail != "" {
			w.Detail += " "
		}
		w.Detail += one.Sentence()
	}
	return w
}

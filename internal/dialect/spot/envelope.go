package spot

import (
	"net/http"
	"reflect"

	"github.com/neap-cloud/neap/internal/op"
)

// Items is the answer of an operation: clients read single objects as the first item.
type Items[T any] []T

// One answers with a single object.
func One[T any](item T) Items[T] { return Items[T]{item} }

// Done answers that it was done, without anything to show.
type Done struct{}

type envelope struct {
	Request  request  `json:"request"`
	Response response `json:"response"`
}

type request struct {
	ID        string `json:"id"`
	URL       string `json:"url"`
	Method    string `json:"method"`
	Timestamp Time   `json:"timestamp"`
}

type response struct {
	Status status  `json:"status"`
	Kind   string  `json:"kind,omitempty"`
	Items  any     `json:"items,omitempty"`
	Count  *int    `json:"count,omitempty"`
	Errors []wrong `json:"errors,omitempty"`
	Data   string  `json:"data,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// answer wraps a success. Items and count are always there, empty for Done, because some clients read them after every call.
func answer(call *op.Call, out any) any {
	items, count := out, 0
	if value := reflect.ValueOf(out); value.IsValid() && value.Kind() == reflect.Slice {
		count = value.Len()
	}
	if count == 0 {
		items = []struct{}{} // a nil slice would be written as null
	}
	return envelope{
		Request:  requestOf(call),
		Response: response{Status: status{http.StatusOK, "OK"}, Kind: call.Row.Kind, Items: items, Count: &count},
	}
}

func requestOf(call *op.Call) request {
	return request{ID: call.ID, URL: call.URL, Method: call.Method, Timestamp: Time(call.At)}
}

package cmpute

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/ident"
	"github.com/neap-cloud/neap/internal/op"
)

// An answer of the first version has its content in Data and always a ContinuationToken. One of the second has it in a member of its own, which is the row's Kind,
// and the token beside lists only.

// list is one page of a list.
type list[T any] struct {
	Items []T
	Next  string // where the next page begins; "" = this is the last
}

func (l list[T]) content() (items any, next any) {
	if l.Next != "" {
		next = l.Next
	}
	if len(l.Items) == 0 {
		return []struct{}{}, next // a nil slice would be written as null
	}
	return l.Items, next
}

func answer(call *op.Call, out any) any {
	body := map[string]any{"RequestId": requestID(call.ID), "Errors": struct{}{}}
	if call.Row.Kind == "" {
		body["ContinuationToken"] = nil
	}
	if page, is := out.(interface{ content() (any, any) }); is {
		out, body["ContinuationToken"] = page.content()
	}
	body[member(call)] = out
	return body
}

// member holds the content of an answer.
func member(call *op.Call) string { return cmp.Or(call.Row.Kind, "Data") }

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// requestID is the call's id when it is of the form that clients parse; they may have sent one of their own.
func requestID(id string) string {
	if id = strings.ToLower(id); uuid.MatchString(id) {
		return id
	}
	return ident.UUID()
}

// refuse wraps a failure and everything else that is wrong with the same request.
func refuse(call *op.Call, status int, err *fault.Error) any {
	texts := map[string][]string{}
	for _, one := range append([]*fault.Error{err}, err.Others...) {
		known := *one
		known.Field = spelled(call.Row.Section, one.Field)
		key := cmp.Or(known.Field, place(one.Kind))
		texts[key] = append(texts[key], respelled(known.Sentence()))
	}
	body := map[string]any{"RequestId": requestID(call.ID), "Message": message(err), "Errors": texts, member(call): nil}
	if call.Row.Kind == "" {
		body["ContinuationToken"] = nil
	}
	if status == http.StatusBadRequest {
		state := map[string]any{}
		for key, sentences := range texts {
			state[key] = map[string]any{"$values": sentences}
		}
		body["ModelState"] = state
	}
	return body
}

// float is written with at least one decimal, as clients that tell integers from floats read it.
type float float64

// MarshalJSON writes 2 as 2.0.
func (f float) MarshalJSON() ([]byte, error) {
	if f := float64(f); f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendFloat(nil, f, 'f', 1, 64), nil
	}
	return json.Marshal(float64(f))
}

// Package fault is the language in which every room says what went wrong.
//
// It owns the kinds of failure and the sentence shown to a person. It must not know
// any wire format: each dialect turns a kind into its own status and body.
// Start reading at Error.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Kind classifies a failure by what the caller can do about it.
type Kind string

const (
	Invalid         Kind = "invalid"         // the request is wrong; change it
	Unauthenticated Kind = "unauthenticated" // no or bad credentials
	Denied          Kind = "denied"          // known caller, no right
	NotFound        Kind = "notFound"        // missing, or not visible to this caller
	Conflict        Kind = "conflict"        // the object is in another state or version
	Exists          Kind = "exists"          // an object of that identity is already there
	Limit           Kind = "limit"           // too many, too fast, too large
	Unavailable     Kind = "unavailable"     // a party we depend on does not answer; retry later
	Internal        Kind = "internal"        // our own fault; details are logged, never shown
)

// Kinds lists every kind, so that a test can hold each dialect to answering all of them.
func Kinds() []Kind {
	return []Kind{Invalid, Unauthenticated, Denied, NotFound, Conflict, Exists, Limit, Unavailable, Internal}
}

// Error is one failure. Message, or rather Sentence, is shown to people and must not hold secrets; Cause is only logged.
type Error struct {
	Kind    Kind
	Noun    string   // what it is about, in the engine's words: "group", "instance", "capacity"; dialects map (Kind, Noun) to their codes
	Field   string   // path of the offending field as the caller wrote it ("group.capacity.minimum"), or ""
	Message string   // one sentence: what was wrong, and what to do; in lower case and without a stop when it goes on from the field's name
	Others  []*Error // further faults of the same request
	Cause   error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Sentence is the message as a whole sentence, whatever Field says: "is required" about "group.capacity.target" reads "target is required."
func (e *Error) Sentence() string {
	if e.Field == "" || e.Message == "" || !unicode.IsLower(rune(e.Message[0])) {
		return e.Message
	}
	leaf := e.Field[strings.LastIndex(e.Field, ".")+1:]
	return leaf + " " + e.Message + "."
}

func (e *Error) Unwrap() error { return e.Cause }

// Of makes an error of a kind about a noun.
func Of(kind Kind, noun, format string, args ...any) *Error {
	return &Error{Kind: kind, Noun: noun, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Invalid error about one field of the request.
func Field(path, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Noun: "field", Field: path, Message: fmt.Sprintf(format, args...)}
}

// Missing says that no visible object of this noun has this id.
func Missing(noun, id string) *Error {
	return Of(NotFound, noun, "There is no %s %q here; check the id and the account.", noun, id)
}

// With keeps the cause for the log.
func (e *Error) With(cause error) *Error {
	e.Cause = cause
	return e
}

// All folds several faults into one error: the first leads, the rest are its Others. It returns nil for none.
func All(faults []*Error) error {
	if len(faults) == 0 {
		return nil
	}
	lead := *faults[0]
	lead.Others = append(append([]*Error(nil), lead.Others...), faults[1:]...)
	return &lead
}

// As finds the *Error inside err; an unknown error becomes Internal with err as its cause.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Kind: Internal, Message: "Something failed inside Neap; the log has the details under this request's id.", Cause: err}
}

// KindOf is the kind of err: Internal when err is not one of ours, "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return As(err).Kind
}

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

package pubnub

import (
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// exception is for messages that are too large; other limits are about rates.
func exception(_ *op.Call, err *fault.Error) int {
	if err.Kind == fault.Limit && err.Noun == "message" {
		return http.StatusRequestEntityTooLarge
	}
	return 0
}

// refusal is the form of all operations but publishing.
type refusal struct {
	Status  int    `json:"status"`
	Error   bool   `json:"error"`
	Message string `json:"message"`
	Service string `json:"service"`
}

// refuse says in PubNub's words what clients look for, and the rest in ours.
func refuse(call *op.Call, status int, err *fault.Error) any {
	publishes := strings.HasPrefix(call.Row.ID, "publish")
	text := err.Sentence()
	switch {
	case err.Kind == fault.NotFound && strings.HasSuffix(err.Noun, " key") && publishes:
		text = "Invalid Key"
	case err.Kind == fault.NotFound && strings.HasSuffix(err.Noun, " key"):
		text = "Invalid Subscribe Key"
	case status == http.StatusRequestEntityTooLarge:
		text = "Message Too Large"
	case err.Kind == fault.Invalid && err.Noun == "message":
		text = "Invalid JSON"
	}
	if publishes {
		return answer(call, []any{0, text, channel.Now().String()})
	}
	return answer(call, refusal{Status: status, Error: true, Message: text, Service: "Neap"})
}

package pubnub

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/neap-cloud/neap/internal/batch/channel"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// region stands where PubNub names the place that a message came through; there is one.
const region = 1

type publication struct {
	Publish   string `path:"pub_key"`
	Subscribe string `path:"sub_key"`
	Channel   string `path:"channel"`
	Callback  string `path:"callback"`
	UUID      string `query:"uuid" doc:"What the publisher calls itself"`
	Meta      string `query:"meta" doc:"JSON about the message"`
	Number    int    `query:"seqn" default:"1" doc:"The publisher's own count"`
}

type inAddress struct {
	publication
	Payload string `path:"payload"`
}

type inBody struct {
	publication
	Body op.Document
}

func (c *companion) publish(ctx context.Context, in inAddress) (any, error) {
	return c.send(ctx, in.publication, json.RawMessage(in.Payload))
}

func (c *companion) publishBody(ctx context.Context, in inBody) (any, error) {
	var body struct{ Message json.RawMessage }
	if err := json.Unmarshal(in.Body, &body); err != nil {
		return nil, err
	}
	return c.send(ctx, in.publication, body.Message)
}

func (c *companion) send(ctx context.Context, p publication, payload json.RawMessage) (any, error) {
	if err := checkCallback(p.Callback); err != nil {
		return nil, err
	}
	account, err := c.Keys.Publisher(ctx, p.Publish, p.Subscribe)
	if err != nil {
		return nil, err
	}
	token, err := c.Hub.Publish(ctx, account, channel.Message{Channel: p.Channel, Payload: payload, Meta: json.RawMessage(p.Meta), Publisher: p.UUID, Number: p.Number})
	return []any{1, "Sent", token.String()}, err
}

type oldSubscription struct {
	Subscribe string `path:"sub_key"`
	Channels  string `path:"channels"`
	Callback  string `path:"callback"`
	Token     string `path:"timetoken"`
}

func (c *companion) subscribeOld(ctx context.Context, in oldSubscription) (any, error) {
	names := namesOf(in.Channels)
	found, next, err := c.receive(ctx, in.Subscribe, in.Callback, names, in.Token)
	payloads, from := make([]json.RawMessage, 0, len(found)), make([]string, 0, len(found))
	for _, m := range found {
		payloads, from = append(payloads, m.Payload), append(from, m.Channel)
	}
	out := []any{payloads, next.String()}
	if len(names) > 1 {
		out = append(out, strings.Join(from, ","))
	}
	return out, err
}

type subscription struct {
	Subscribe string `path:"sub_key"`
	Channels  string `path:"channels"`
	Callback  string `path:"callback"`
	Token     string `query:"tt" default:"0" doc:"Where to go on from; 0 = from now on"`
	Region    string `query:"tr" doc:"Where the token is from; there is one region"`
	Filter    string `query:"filter-expr" doc:"Not acted on: every message comes"`
	Groups    string `query:"channel-group" doc:"Not acted on: name channels"`
}

// moment is a token on the wire.
type moment struct {
	Token  string `json:"t"`
	Region int    `json:"r"`
}

type delivery struct {
	Shard     string          `json:"a"`
	Flags     int             `json:"f"`
	Publisher string          `json:"i"`
	Number    int             `json:"s"`
	Published moment          `json:"p"`
	Key       string          `json:"k"`
	Channel   string          `json:"c"`
	Payload   json.RawMessage `json:"d"`
	Meta      json.RawMessage `json:"u,omitempty"`
}

type deliveries struct {
	Next     moment     `json:"t"`
	Messages []delivery `json:"m"`
}

func (c *companion) subscribe(ctx context.Context, in subscription) (deliveries, error) {
	if in.Filter != "" {
		c.tell("filter-expr")
	}
	if in.Groups != "" {
		c.tell("channel-group")
	}
	found, next, err := c.receive(ctx, in.Subscribe, in.Callback, namesOf(in.Channels), in.Token)
	out := deliveries{Next: moment{next.String(), region}, Messages: make([]delivery, 0, len(found))}
	for _, m := range found {
		out.Messages = append(out.Messages, delivery{
			Shard: "1", Publisher: m.Publisher, Number: m.Number, Published: moment{m.Token.String(), region}, Key: in.Subscribe, Channel: m.Channel, Payload: m.Payload, Meta: m.Meta,
		})
	}
	return out, err
}

// namesOf splits a list of channels. A list of nothing is written as a comma.
func namesOf(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

func (c *companion) receive(ctx context.Context, key, callback string, names []string, token string) ([]channel.Message, channel.Token, error) {
	if err := checkCallback(callback); err != nil {
		return nil, 0, err
	}
	after, err := strconv.ParseInt(token, 10, 64)
	if err != nil || after < 0 {
		return nil, 0, fault.Of(fault.Invalid, "timetoken", "A time token is a number of 17 digits, or 0, not %.40q.", token)
	}
	account, err := c.Keys.Subscriber(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	found, next, err := c.Hub.Receive(ctx, account, names, channel.Token(after))
	if ctx.Err() != nil { // the client went away, as they do at every change of channels; nothing failed
		return nil, channel.Token(after), nil
	}
	return found, next, err
}

type callback struct {
	Callback string `path:"callback"`
}

func (c *companion) time(_ context.Context, in callback) ([]int64, error) {
	return []int64{int64(channel.Now())}, checkCallback(in.Callback)
}

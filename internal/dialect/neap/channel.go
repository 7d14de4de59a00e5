package neap

import (
	"context"

	"github.com/neap-cloud/neap/internal/op"
)

// channelRows hand out what people need to follow the messages of their jobs.
func (d Deps) channelRows() []op.Row {
	return []op.Row{
		{ID: "channels.keys", Route: "GET /neap/v1/channels/keys", Need: "batch:describeChannels", Title: "Read the keys of the account's channels", Do: op.Func(d.channelKeys)},
	}
}

// channelKeys are capabilities: who has them needs nothing else. The publish key is there for those only who may publish.
type channelKeys struct {
	Publish   string `json:"publishKey,omitempty"`
	Subscribe string `json:"subscribeKey"`
}

func (d Deps) channelKeys(ctx context.Context, _ nothing) (channelKeys, error) {
	call := op.CallOf(ctx)
	publish, subscribe, err := d.Channels.Of(ctx, call.Account)
	if call.Caller.Rights.Authorize(op.Deed{Need: "batch:publishMessage", Account: call.Account}) != nil {
		publish = ""
	}
	return channelKeys{publish, subscribe}, err
}

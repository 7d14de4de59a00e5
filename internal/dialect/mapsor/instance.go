package mapsor

import (
	"context"

	"github.com/neap-cloud/neap/internal/op"
)

// caller is the instance that a call-back comes from. The query's id, of which the published description speaks twice, is ignored: both ids stand in the path.
type caller struct {
	Region   string `path:"region" maxLength:"64" doc:"Region of the instance"`
	Instance string `path:"instance_id" maxLength:"64" doc:"Instance that calls"`
}

// channel is where an instance job's program talks to whoever listens: the channel is called like the job.
type channel struct {
	Job       string `json:"job_id"`
	Publish   string `json:"publish_key"`
	Subscribe string `json:"subscribe_key"`
}

func (d Deps) announce(ctx context.Context, in caller) (channel, error) {
	call := op.CallOf(ctx)
	job, err := d.Batch.Announce(ctx, call.Account, in.Region, in.Instance, call.Remote)
	if err != nil {
		return channel{}, err
	}
	publish, subscribe, err := d.Keys(ctx, call.Account)
	return channel{job.ID, publish, subscribe}, err
}

func (d Deps) destroy(ctx context.Context, in caller) (told, error) {
	call := op.CallOf(ctx)
	_, err := d.Batch.Release(ctx, call.Account, in.Region, in.Instance, call.Remote)
	return told{"Terminated instance"}, err
}

package mapsor

import (
	"context"

	"github.com/neap-cloud/neap/internal/batch"
	"github.com/neap-cloud/neap/internal/op"
)

type period struct {
	Start  float64 `query:"start_date" required:"true" doc:"Begin, in epoch milliseconds"`
	End    float64 `query:"end_date" required:"true" doc:"End, in epoch milliseconds"`
	Cloud  string  `query:"cloud_provider" required:"true" enum:"aws,azure" doc:"Cloud"`
	Region string  `query:"region" required:"true" minLength:"1" doc:"Region"`
	Price  *int64  `query:"price" minimum:"0" doc:"What is to be shared out among the customers by their use, in any unit"`
}

// used is a customer's part.
type used struct {
	Jobs    int    `json:"jobs"`
	Runtime int64  `json:"runtime_ms"`
	VCPU    int64  `json:"vcpu_ms"`
	Cost    *int64 `json:"cost,omitempty"`
}

type bill struct {
	Response map[string]used `json:"response"`
}

func (d Deps) usage(ctx context.Context, in period) (bill, error) {
	from, until, err := window("start_date", in.Start, "end_date", in.End)
	if err != nil {
		return bill{}, err
	}
	of, err := d.Batch.Usage(ctx, op.CallOf(ctx).Account, batch.UsageQuery{Cloud: in.Cloud, Region: in.Region, From: from, Until: until, Price: in.Price})
	if err != nil {
		return bill{}, err
	}
	return billed(of), nil
}

func billed(of map[string]batch.Usage) bill {
	b := bill{make(map[string]used, len(of))}
	for customer, u := range of {
		b.Response[customer] = used{u.Jobs, u.RuntimeMS, u.VCPUMS, u.Cost}
	}
	return b
}

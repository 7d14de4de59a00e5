package neap

import (
	"context"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/op"
)

// generationRows let a restored database work again.
func (d Deps) generationRows() []op.Row {
	return []op.Row{
		{ID: "generation.accept", Route: "POST /neap/v1/generation/accept", Need: "neap:acceptGeneration", Title: "Accept a restored database as the newest", NoAccount: true, Mutates: true, Do: op.Func(d.acceptGeneration)},
	}
}

// generation is what accepting meets: instances that the database knows, those whose launch it knows, and the rest.
type generation struct {
	Generation  int64 `json:"generation"`
	Instances   int   `json:"instances"`
	Known       int   `json:"known"`
	Adopted     int   `json:"adopted"`
	Quarantined int   `json:"quarantined"`
}

func (d Deps) acceptGeneration(ctx context.Context, _ nothing) (generation, error) {
	inst, err := d.Identity.Installation(ctx)
	if err != nil {
		return generation{}, err
	}
	if op.CallOf(ctx).Caller.Organisation != inst.Organisation {
		return generation{}, fault.Of(fault.Denied, "generation", "Only the organisation that runs this installation accepts a database.")
	}
	seen, err := d.Fleet.Survey(ctx)
	if err != nil {
		return generation{}, err
	}
	inst, err = d.Identity.AcceptGeneration(ctx, seen.Newest) // rolled back in a dry run
	return generation{Generation: inst.Generation, Instances: seen.Instances, Known: seen.Known, Adopted: seen.Adoptable, Quarantined: seen.Quarantined()}, err
}

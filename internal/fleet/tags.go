package fleet

import (
	"context"
	"maps"
	"strconv"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/store"
)

// Tags by which the cloud remembers whose an instance is.
const (
	tagInstallation = "neap:installation" // the database that launched it
	tagGeneration   = "neap:generation"   // of that database: a higher one than the database's own means an old copy is running
	tagOwner        = "neap:owner"        // group id
	tagAction       = "neap:action"       // the launch that started it
	tagState        = "neap:state"        // "detached" once it left its group alive
)

// sign puts the ownership tags on a launch.
func (f *Fleet) sign(ctx context.Context, doc store.Doc[record], launch *cloud.Launch) error {
	inst, err := f.Installation(ctx)
	if err != nil {
		return err
	}
	tags := map[string]string{}
	maps.Copy(tags, launch.Tags)
	tags[tagInstallation], tags[tagGeneration] = inst.ID, strconv.FormatInt(inst.Generation, 10)
	tags[tagOwner], tags[tagAction] = doc.ID, launch.Token
	launch.Tags = tags
	return nil
}

// generationOf reads an instance's generation; 0 when it carries none.
func generationOf(i cloud.Instance) int64 {
	n, err := strconv.ParseInt(i.Tags[tagGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

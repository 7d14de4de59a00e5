package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/batch"
	"github.com/aws/aws-sdk-go-v2/service/batch/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	leastTimeout  = time.Minute // that Batch takes
	leastMemory   = 4           // MiB
	formatVersion = "1"         // of definitions: another one makes new names for all of them
)

// Submit puts a job in its queue. Batch knows no tokens: the job is found again by its name, and the SDK must not repeat a call whose answer it lost.
func (r *Region) Submit(ctx context.Context, spec cloud.JobSpec) (string, error) {
	definition, isOld, err := r.definition(ctx, spec)
	if err != nil {
		return "", err
	}
	id, err := r.submit(ctx, spec, definition)
	if !isOld || !isKind(err, cloud.BadRequest) {
		return id, err
	}
	// Somebody may have deregistered what is remembered.
	r.forget(spec)
	again, _, missing := r.definition(ctx, spec)
	if missing != nil || again == definition {
		return "", err
	}
	return r.submit(ctx, spec, again)
}

func (r *Region) submit(ctx context.Context, spec cloud.JobSpec, definition string) (string, error) {
	out, err := r.Batch.SubmitJob(ctx, &batch.SubmitJobInput{
		JobName: awssdk.String(nameOf(spec.Token)), JobQueue: &spec.Queue, JobDefinition: &definition,
		ContainerOverrides: &types.ContainerOverrides{Command: spec.Command, Environment: environment(spec.Env)},
		RetryStrategy:      &types.RetryStrategy{Attempts: awssdk.Int32(1)},
		Timeout:            timeout(spec.Timeout), Tags: spec.Tags, PropagateTags: awssdk.Bool(true),
	}, func(o *batch.Options) { o.Retryer = r.Careful(o.Retryer) })
	if err != nil {
		return "", r.Refused("SubmitJob", r.Name, err)
	}
	return awssdk.ToString(out.JobId), nil
}

func environment(env map[string]string) (list []types.KeyValuePair) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, types.KeyValuePair{Name: &name, Value: awssdk.String(env[name])})
	}
	return list
}

// timeout is what Batch is told: whole seconds, and no less than it takes.
func timeout(d time.Duration) *types.JobTimeout {
	if d <= 0 {
		return nil
	}
	seconds := (max(d, leastTimeout) + time.Second - 1) / time.Second
	return &types.JobTimeout{AttemptDurationSeconds: awssdk.Int32(int32(min(seconds, 1<<31-1)))}
}

// content is what a definition says. It lives on, in sight of many: nothing secret gets into it.
type content struct {
	Format, Image    string
	VCPUs, MiB, GPUs int64
}

func contentOf(spec cloud.JobSpec) content {
	return content{Format: formatVersion, Image: spec.Image, VCPUs: max(1, (spec.MilliCPU+999)/1000), MiB: max(leastMemory, spec.MemoryMiB), GPUs: spec.GPUs}
}

// name is the same for the same content.
func (c content) name() string {
	text, _ := json.Marshal(c) // strings and numbers: it can't fail
	sum := sha256.Sum256(text)
	return namePrefix + hex.EncodeToString(sum[:12])
}

func (c content) requirements() []types.ResourceRequirement {
	need := func(kind types.ResourceType, n int64) types.ResourceRequirement {
		return types.ResourceRequirement{Type: kind, Value: awssdk.String(strconv.FormatInt(n, 10))}
	}
	list := []types.ResourceRequirement{need(types.ResourceTypeVcpu, c.VCPUs), need(types.ResourceTypeMemory, c.MiB)}
	if c.GPUs > 0 {
		list = append(list, need(types.ResourceTypeGpu, c.GPUs))
	}
	return list
}

// definition is the ARN of what a job is made of; isOld says that it was remembered.
func (r *Region) definition(ctx context.Context, spec cloud.JobSpec) (arn string, isOld bool, err error) {
	select { // hundreds of jobs of one kind ask once
	case r.defining <- struct{}{}:
		defer func() { <-r.defining }()
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
	c := contentOf(spec)
	r.mu.Lock()
	arn = r.known[c.name()]
	r.mu.Unlock()
	if arn != "" {
		return arn, true, nil
	}
	if arn, err = r.find(ctx, c); err == nil && arn == "" {
		arn, err = r.register(ctx, c, spec.Tags)
	}
	if err != nil {
		return "", false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[c.name()] = arn
	return arn, false, nil
}

func (r *Region) forget(spec cloud.JobSpec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, contentOf(spec).name())
}

// find looks for the newest revision, "" when there is none.
func (r *Region) find(ctx context.Context, c content) (string, error) {
	found, err := pages(func(token *string) ([]types.JobDefinition, *string, error) {
		page, err := r.Batch.DescribeJobDefinitions(ctx, &batch.DescribeJobDefinitionsInput{
			JobDefinitionName: awssdk.String(c.name()), Status: awssdk.String("ACTIVE"), NextToken: token,
		})
		if err != nil {
			return nil, nil, r.Refused("DescribeJobDefinitions", r.Name, err)
		}
		return page.JobDefinitions, page.NextToken, nil
	})
	if err != nil || len(found) == 0 {
		return "", err
	}
	newest := slices.MaxFunc(found, func(a, b types.JobDefinition) int {
		return int(awssdk.ToInt32(a.Revision) - awssdk.ToInt32(b.Revision))
	})
	return awssdk.ToString(newest.JobDefinitionArn), nil
}

// installationTag is the one tag that a definition shares with its jobs.
const installationTag = "neap:installation"

func (r *Region) register(ctx context.Context, c content, tags map[string]string) (string, error) {
	own := map[string]string{}
	if installation := tags[installationTag]; installation != "" {
		own[installationTag] = installation
	}
	out, err := r.Batch.RegisterJobDefinition(ctx, &batch.RegisterJobDefinitionInput{
		JobDefinitionName: awssdk.String(c.name()), Type: types.JobDefinitionTypeContainer, PlatformCapabilities: []types.PlatformCapability{types.PlatformCapabilityEc2},
		ContainerProperties: &types.ContainerProperties{Image: &c.Image, ResourceRequirements: c.requirements()},
		RetryStrategy:       &types.RetryStrategy{Attempts: awssdk.Int32(1)}, PropagateTags: awssdk.Bool(true), Tags: own,
	})
	if err != nil {
		return "", r.Refused("RegisterJobDefinition", r.Name, err)
	}
	return awssdk.ToString(out.JobDefinitionArn), nil
}

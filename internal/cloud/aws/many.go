package aws

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const (
	resourcePage = 500 // what every listing of EC2 gives at once
	resourceIDs  = 200 // values of one filter
)

// chunks cuts a list into parts that AWS takes in one call. nil is one part: it stands for "all of them".
func chunks[T any](all []T, most int) iter.Seq[[]T] {
	if all == nil {
		return func(yield func([]T) bool) { yield(nil) }
	}
	return slices.Chunk(all, most)
}

// pages reads a listing to its end.
func pages[T any](read func(token *string) (page []T, next *string, err error)) (all []T, err error) {
	for token, more := (*string)(nil), true; more; more = awssdk.ToString(token) != "" {
		var page []T
		if page, token, err = read(token); err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// selected lists what a query selects, in Neap's words and by id. byID is EC2's filter for ids: named as ids, one that EC2 doesn't know would refuse the whole call.
func selected[S, T any](q cloud.Query, byID string, also []types.Filter, read func(filters []types.Filter, token *string) ([]S, *string, error), show func(S) (id string, shown T)) ([]T, error) {
	var found []S
	for ids := range chunks(q.IDs, resourceIDs) {
		filters := append(byTags(q.Tags), also...)
		if ids != nil {
			filters = append(filters, filter(byID, ids...))
		}
		part, err := pages(func(token *string) ([]S, *string, error) { return read(filters, token) })
		if err != nil {
			return nil, err
		}
		found = append(found, part...)
	}
	return inOrder(found, show), nil
}

func inOrder[S, T any](found []S, show func(S) (id string, shown T)) []T {
	byID := map[string]T{}
	for _, f := range found {
		id, shown := show(f)
		byID[id] = shown
	}
	all := make([]T, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id])
	}
	return all
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

// byTags are the filters for all of these tags; an empty value stands for any.
func byTags(tags map[string]string) (filters []types.Filter) {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if value := tags[key]; value == "" {
			filters = append(filters, filter("tag-key", literal([]string{key})...))
		} else {
			filters = append(filters, filter("tag:"+key, literal([]string{value})...))
		}
	}
	return filters
}

// attachedTo is the filter for what hangs on an instance.
func attachedTo(instance string) []types.Filter {
	if instance == "" {
		return nil
	}
	return []types.Filter{filter("attachment.instance-id", instance)}
}

func tagsOf(list []types.Tag) map[string]string {
	if len(list) == 0 {
		return nil
	}
	tags := map[string]string{}
	for _, t := range list {
		tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return tags
}

func number(n *int32) int { return int(awssdk.ToInt32(n)) }

// givenNumber is nil for what is left out.
func givenNumber(n int) *int32 {
	if n == 0 {
		return nil
	}
	return awssdk.Int32(int32(n))
}

// known asks about names of which AWS refuses all when it does not know one: then it halves them, until the unknown one is alone, and leaves it out.
func known[T any](names []string, ask func([]string) ([]T, error)) ([]T, error) {
	found, err := ask(names)
	if !isKind(err, cloud.Unknown) {
		return found, err
	}
	if len(names) < 2 {
		return nil, nil
	}
	first, err := known(names[:len(names)/2], ask)
	if err != nil {
		return nil, err
	}
	second, err := known(names[len(names)/2:], ask)
	return append(first, second...), err
}

func isKind(err error, kind cloud.RefusalKind) bool {
	var refusal *cloud.Refusal
	return errors.As(err, &refusal) && refusal.Kind == kind
}

func isCode(err error, codes ...string) bool {
	var refusal *cloud.Refusal
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)
}

// unless forgives AWS's refusal of what is so already: whoever asks again after a crash cannot know.
func unless(err error, already func() (bool, error)) error {
	if !isKind(err, cloud.BadRequest) {
		return err
	}
	if is, failed := already(); failed == nil && is {
		return nil
	}
	return err
}

// absent is the refusal for what is not there, where AWS was not asked, or did not name it.
func absent(code, region, what, name string) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.Unknown, Key: region, Code: code, Message: fmt.Sprintf("There is no %s %s in %s.", what, cmp.Or(name, `""`), region)}
}

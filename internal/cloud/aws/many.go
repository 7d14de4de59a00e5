package aws

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/neap-cloud/neap/internal/cloud"
)

// chunks cuts a list into parts that AWS takes in one call. No list is one empty part: it stands for "all of them".
func chunks[T any](all []T, most int) iter.Seq[[]T] {
	if len(all) == 0 {
		return func(yield func([]T) bool) { yield(nil) }
	}
	return slices.Chunk(all, most)
}

// known asks about names of which AWS refuses all when it does not know one: then it halves them, until the unknown one is alone, and leaves it out.
func known[T any](names []string, ask func([]string) ([]T, error)) ([]T, error) {
	found, err := ask(names)
	if refusal := (*cloud.Refusal)(nil); !errors.As(err, &refusal) || refusal.Kind != cloud.Unknown {
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

// missing is the sentence for what is not there, where AWS's own doesn't name it.
func missing(what, name, region string) string {
	return fmt.Sprintf("there is no %s %s in %s", what, name, region)
}

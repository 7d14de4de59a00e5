package setup

import "github.com/neap-cloud/neap/internal/fault"

// respelled is an error whose fields are those of this request: identity says "role" where a body has "accounts.role". A field that the table does not name
// stays, behind the prefix.
func respelled(err error, prefix string, names map[string]string) error {
	if err == nil {
		return nil
	}
	lead := fault.As(err)
	faults := []*fault.Error{}
	for _, one := range append([]*fault.Error{lead}, lead.Others...) {
		copied := *one
		copied.Others = nil
		if name, is := names[one.Field]; is {
			copied.Field = name
		} else if one.Field != "" {
			copied.Field = prefix + one.Field
		}
		faults = append(faults, &copied)
	}
	return fault.All(faults)
}

package awstest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// unknown is EC2's refusal of a launch that names a key pair or a security group that there is not.
func (f *Front) unknown(c *call) (said answer, is bool) {
	if key := c.form.Get("KeyName"); key != "" && f.lacks(c, "DescribeKeyPairs", "key-name", key, "<keySet/>", "<keySet></keySet>") {
		return refusal(http.StatusBadRequest, "InvalidKeyPair.NotFound", fmt.Sprintf("There is no key pair '%s'.", key)), true
	}
	for name, value := range c.form {
		if strings.HasPrefix(name, "SecurityGroup.") && f.lacks(c, "DescribeSecurityGroups", "group-name", value[0], "<securityGroupInfo/>", "<securityGroupInfo></securityGroupInfo>") {
			return refusal(http.StatusBadRequest, "InvalidGroup.NotFound", fmt.Sprintf("There is no security group '%s'.", value[0])), true
		}
	}
	return answer{}, false
}

// lacks reports whether a listing by name is one of those that say: none.
func (f *Front) lacks(c *call, action, filter, name string, none ...string) bool {
	look := &call{request: c.request, altered: true, form: url.Values{"Action": {action}, "Version": {"2016-11-15"}, "Filter.1.Name": {filter}, "Filter.1.Value.1": {name}}}
	found := f.forward(look).body
	for _, empty := range none {
		if bytes.Contains(found, []byte(empty)) {
			return true
		}
	}
	return false
}

package launch_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/dialect/launch"
)

func TestAttributesAreShownInTheOrderOfTheTable(t *testing.T) {
	w := newWorld(t)
	id, _ := w.bring(t, "running")
	ec2 := w.shown(id)
	want := `{"id":"` + id + `","public_dns_name":"` + ec2.PublicDNS + `","private_dns_name":"` + ec2.PrivateDNS + `","state":"running","state_code":16,"key_name":"scalacity_dev1",` +
		`"instance_type":"t1.micro","launch_time":"2012-10-29T10-51-24.000Z","image_id":"ami-0a1b2c3d","placement":"us-east-1b","placement_group":"",` +
		`"private_ip_address":"` + ec2.PrivateIP + `","ip_address":"` + ec2.PublicIP + `"}`
	if got := w.call("GET", "/v1/"+id+"/attributes", ""); got.status != http.StatusOK || strings.TrimSpace(string(got.raw)) != want {
		t.Errorf("got %s\nwant %s", got.raw, want)
	}
	for filter, want := range map[string]string{
		"state_code,state":                `{"state":"running","state_code":16}`,
		"placement_group&filter=image_id": `{"image_id":"ami-0a1b2c3d","placement_group":""}`,
		"colour,state":                    `{"state":"running"}`,
		"colour":                          `{}`,
		"State":                           `{}`,
	} {
		if got := w.call("GET", "/v1/"+id+"/attributes?filter="+filter, ""); got.status != http.StatusOK || strings.TrimSpace(string(got.raw)) != want {
			t.Errorf("%s: %s, want %s", filter, got.raw, want)
		}
	}
	if got := w.call("GET", "/v1/"+id+"/attributes?filter=", ""); len(got.object()) != 13 {
		t.Errorf("an empty filter: %s", got.raw)
	}
}

func TestEachFieldCanBeReadByItself(t *testing.T) {
	w := newWorld(t)
	id, _ := w.bring(t, "running")
	all := w.call("GET", "/v1/"+id+"/attributes", "").object()
	for field, want := range all {
		got := w.call("GET", "/v1/"+id+"/attributes/"+field, "")
		if got.status != http.StatusOK || len(got.object()) != 1 || got.object()[field] != want {
			t.Errorf("%s: %d %s, want %v", field, got.status, got.raw, want)
		}
	}
	for path, want := range map[string]string{"/v1/" + id + "/attributes/colour": "Unknown field", "/v1/i-0123abcd/attributes/state": "Instance ID not found"} {
		if got := w.call("GET", path, ""); got.status != http.StatusNotFound || got.object()["error"] != want {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
}

func TestLaunchTimesCanBeWrittenAsEC2Does(t *testing.T) {
	w := newWorld(t, func(d *launch.Deps) { d.EC2Time = true })
	id := w.start()
	if got := w.call("GET", "/v1/"+id+"/attributes/launch_time", ""); got.object()["launch_time"] != "2012-10-29T10:51:24.000Z" {
		t.Errorf("%s", got.raw)
	}
}

package main

import (
	"regexp"
)

// azureSize is the form of the sizes that are taken: a series letter, vCPUs, features in small letters, a version. Sizes with fewer vCPUs than their machine has
// ("E4-2s_v5"), and retired ones ("D2_v2_Promo"), have another.
var azureSize = regexp.MustCompile(`^Standard_([BDEF])([0-9]+)([a-z]*)(?:_(v[0-9]+))?$`)

// firstVersions are the oldest versions that are taken of each series; what is older is retired or about to be.
var firstVersions = map[string]string{"B": "", "D": "v3", "E": "v3", "F": "v2"}

// buildAzure takes the current sizes for general purposes, for computing and for memory, in all regions. Nobody tells zones: each region has one.
func buildAzure(dir string) ([]byte, error) {
	f := newFacts()
	return f.build(dir, []table{
		{"azure-vm-sizes.csv", f.takeSize},
		{"azure-prices.csv.gz", f.takeSizePrice},
	}, []source{
		{"prices", "Azure retail prices for Linux, as carried by anycloud-sh/catalog and Azure/karpenter-provider-azure", "2026-05-20"},
		{"interruption", "none: Azure publishes eviction rates to account holders only", "2026-05-20"},
		{"types", "Azure VM sizes, as carried by kubernetes/autoscaler and anycloud-sh/catalog", "2026-05-20"},
		{"zones", "none: one zone stands for each region", "2026-05-20"},
	})
}

// takeSize notes a size in the terms of an AWS type.
func (f *facts) takeSize(r record) error {
	parts := azureSize.FindStringSubmatch(r["size"])
	if parts == nil || parts[4] < firstVersions[parts[1]] || r["memory_mib"] == "0" { // less than a GiB is written as none
		return nil
	}
	f.types[r["size"]] = record{
		"family": parts[1] + parts[3] + parts[4], "vcpu": r["vcpu"], "memory_mib": r["memory_mib"], "arch": r["arch"], "gpu_count": r["gpu_count"],
		"current_generation": "1", "bare_metal": "0", "burstable": r["burstable"],
	}
	return nil
}

func (f *facts) takeSizePrice(r record) error {
	if f.types[r["size"]] == nil || r["on_demand_usd_hour"] == "" {
		return nil
	}
	at := place{r["region"], r["size"]}
	f.zones[at] = []string{r["region"] + "-1"}
	r["type"] = r["size"]
	return f.takePrice(r)
}

package main

import (
	"strings"
	"testing"
)

func TestOfAzureTheUsualCurrentSizesAreTaken(t *testing.T) {
	sizes := "size,family,vcpu,memory_mib,arch,gpu_name,gpu_count,hyperv_generations,premium_storage,burstable,source\n"
	prices := "region,size,on_demand_usd_hour,spot_usd_hour,as_of\n"
	sizes += "Standard_B1ls,x,1,0,x86_64,,0,V1,1,1,s\n"
	prices += "westeurope,Standard_B1ls,0.1,0.02,2026-05-20\n"
	for _, name := range []string{"Standard_D2as_v5", "Standard_B2ats_v2", "Standard_F72s_v2", "Standard_D2_v2", "Standard_D4s", "Standard_E4-2s_v5", "Standard_DC2as_v5", "Standard_NC6s_v3", "Standard_D2_v2_Promo"} {
		sizes += name + ",x,2,8192,x86_64,,0,V1,1,0,s\n"
		prices += "westeurope," + name + ",0.1,0.02,2026-05-20\n"
	}
	prices += "eastus,Standard_D2as_v5,0.086,,2026-05-20\neastus,Standard_B2ats_v2,,0.001,2026-05-20\neastus,Standard_D2as_v9,0.1,0.01,2026-05-20\n"
	text, err := buildAzure(folder(t, map[string]string{"azure-vm-sizes.csv": sizes, "azure-prices.csv.gz": prices}))
	if err != nil {
		t.Fatal(err)
	}
	_, facts, _ := strings.Cut(string(text), "\nR\t")
	want := "eastus\t1\nR\twesteurope\t1\n" +
		"T\tStandard_B2ats_v2\tBatsv2\t2\t8192\tx\t0\t1\t0\t0\t0\t\t\n1\t1\t\t\t100000\t20000\n" +
		"T\tStandard_D2as_v5\tDasv5\t2\t8192\tx\t0\t1\t0\t0\t0\t\t\n0\t1\t\t\t86000\t0\n1\t1\t\t\t100000\t20000\n" +
		"T\tStandard_F72s_v2\tFsv2\t2\t8192\tx\t0\t1\t0\t0\t0\t\t\n1\t1\t\t\t100000\t20000\n"
	if facts != want {
		t.Errorf("wrote\n%s\nwant\n%s", facts, want)
	}
}

package cloud

import "testing"

func TestATypeCountsAgainstTheLimitOfItsFamily(t *testing.T) {
	for typ, want := range map[string]string{
		"m5.large": "Standard/spot", "t3.micro": "Standard/spot", "inf2.xlarge": "Inf/spot", "i3.large": "Standard/spot", "trn1.2xlarge": "Trn/spot", "mac1.metal": "Mac/spot",
		"p4d.24xlarge": "P/spot", "g5.xlarge": "G and VT/spot", "u-6tb1.metal": "High Memory/spot", "yq9.large": "other/spot",
	} {
		if got := (Market{Type: typ, Lifecycle: Spot}).QuotaKey(); got != want {
			t.Errorf("%s: %s, want %s", typ, got, want)
		}
	}
	if !IsQuotaClass("Standard") || IsQuotaClass("other") {
		t.Error("the table has other classes")
	}
}

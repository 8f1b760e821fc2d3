/** Where a power strip keeps its outlets: the outlet's number is the last part of the OID. */
export interface OutletTable {
  readonly control: OutletObject;
  /** Often the same; on some strips the state is kept, and numbered, apart. */
  readonly state: OutletObject;
}

interface OutletObject {
  readonly oid: string;
  readonly on: number;
  readonly off: number;
}

const both = (oid: string, on: number, off: number): OutletTable => ({
  control: { oid, on, off },
  state: { oid, on, off },
});

const APC = "1.3.6.1.4.1.318.1.1";
const RARITAN = "1.3.6.1.4.1.13742.6.4.1.2.1";

/** From the vendors' MIBs. */
const VENDORS: Readonly<Record<string, OutletTable>> = {
  // PowerNet-MIB, rPDUOutletControlOutletCommand
  apc: both(`${APC}.12.3.3.1.1.4`, 1, 2),
  // PowerNet-MIB, sPDUOutletCtl
  "apc-masterswitch": both(`${APC}.4.4.2.1.3`, 1, 2),
  // PowerNet-MIB, rPDU2OutletSwitchedControlCommand and rPDU2OutletSwitchedStatusState
  "apc-rpdu2": {
    control: { oid: `${APC}.26.9.2.4.1.5`, on: 1, off: 2 },
    state: { oid: `${APC}.26.9.2.3.1.5`, on: 2, off: 1 },
  },
  // PDU2-MIB, switchingOperation and outletSwitchingState of the first unit
  raritan: {
    control: { oid: `${RARITAN}.2.1`, on: 1, off: 0 },
    state: { oid: `${RARITAN}.3.1`, on: 7, off: 8 },
  },
};

/**
 * The table that `snmp://…/VENDOR` names; `snmp://…/OID?on=1&off=0` is one of a vendor that we don't know. A text says
 * what is wrong.
 */
export function outletTable(url: URL): OutletTable | string {
  const name = url.pathname.slice(1);
  if (Object.hasOwn(VENDORS, name)) return VENDORS[name] as OutletTable;
  if (!/^\d+(\.\d+){3,}$/.test(name)) {
    const known = Object.keys(VENDORS).join(", ");
    return `expected one of ${known} or an OID after the host, not ${JSON.stringify(name)}`;
  }
  const [on, off] = ["on", "off"].map((key) => url.searchParams.get(key) ?? "");
  if (!/^\d+$/.test(on ?? "") || !/^\d+$/.test(off ?? "") || on === off) {
    return "expected the values to set after the OID, for example ?on=1&off=2";
  }
  return both(name, Number(on), Number(off));
}

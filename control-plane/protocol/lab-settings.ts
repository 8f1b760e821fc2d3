import * as v from "valibot";
import { grantsSchema } from "./people.ts";
import { plainRecord } from "./plain-record.ts";
import { oneOf } from "./schema-parts.ts";
import { signInSettingsSchema } from "./sign-in.ts";

/**
 * What an administrator sets for the lab as a whole: `GET` and `PUT /api/v1/settings`, and `settings.yaml` of a lab as code.
 * Each section stands for itself and has a default for every field. A secret is none of these: it has an item of its own.
 */

const whole = v.pipe(v.number("expected a whole number"), v.integer("expected a whole number"));
const fromTo = (least: number, most: number) =>
  v.pipe(
    whole,
    v.minValue(least, `expected ${least} or more`),
    v.maxValue(most, `expected at most ${most}`),
  );
const hours = fromTo(1, 24 * 366);

const quotaSchema = v.strictObject({
  /** Jobs that have a device at a time. */
  running: v.optional(fromTo(0, 10_000)),
  /** Jobs that wait in queues at a time. */
  waiting: v.optional(fromTo(0, 10_000)),
});
/** No limit where a field is absent. */
export type Quota = v.InferOutput<typeof quotaSchema>;

/** Of a user or a group. */
const accountName = v.pipe(
  v.string("expected a name"),
  v.regex(/^[A-Za-z0-9][\w.@-]{0,199}$/, "expected the name of a user or a group"),
);
const quotasByName = v.optional(
  v.pipe(
    plainRecord(accountName, quotaSchema),
    v.check((named) => Object.keys(named).length <= 1000, "expected at most 1000 names"),
  ),
  {},
);

const hostPattern = v.pipe(
  v.string("expected a host"),
  v.regex(/^[\w.*:-]{1,253}$/, "expected a host, perhaps with *"),
);
const hostPatterns = v.pipe(v.array(hostPattern), v.maxLength(200, "expected at most 200 hosts"));

const networks = v.pipe(
  v.array(
    v.pipe(
      v.string("expected a network"),
      v.regex(/^[\da-fA-F.:]{2,45}\/\d{1,3}$/, "expected a network as 192.168.0.0/16"),
    ),
  ),
  v.maxLength(100, "expected at most 100 networks"),
);
const versionRules = v.pipe(
  v.array(
    v.pipe(
      v.string("expected a version"),
      v.regex(/^([\w.+~-]{1,100}\*?|\*)$/, "expected a version, or its beginning and *"),
    ),
  ),
  v.maxLength(100, "expected at most 100 versions"),
);

const retentionRuleSchema = v.strictObject({
  /** Since the job's end. */
  older_than_days: fromTo(1, 36_500),
  /** Only of these; of all where a field is absent. */
  submitter: v.optional(v.pipe(v.string("expected a name"), v.maxLength(200))),
  health: v.optional(oneOf("Complete", "Incomplete", "Canceled")),
  device_type: v.optional(v.pipe(v.string("expected a device type"), v.maxLength(200))),
  /** `log` leaves the job and its results. */
  remove: v.optional(oneOf("job", "log"), "job"),
  /** Jobs that somebody keeps (`pumice jobs keep`) stay. */
  spare_kept: v.optional(v.boolean("expected true or false"), true),
});
export type RetentionRule = v.InferOutput<typeof retentionRuleSchema>;

/** Every section by its name. docs/settings.md says what they mean. */
export const SETTINGS_SECTIONS = {
  scheduling: v.strictObject({
    /** Who goes first among jobs of equal priority: whoever came first, or the user (group) that has used least of late. */
    fair_share: v.optional(oneOf("off", "user", "group"), "off"),
    /** After this long, use counts half. */
    fair_share_half_life_hours: v.optional(hours, 24),
    /** Of jobs that name no `timeouts: queue`; none when absent (SCHEDULER.md 2.4). */
    default_queue_timeout_hours: v.optional(hours),
    /** Of device types that say nothing about it themselves (SCHEDULER.md 2.1). */
    health_frequency_hours: v.optional(hours, 24),
  }),
  quotas: v.strictObject({
    /** Of each user who is not named below. */
    default: v.optional(quotaSchema, {}),
    users: quotasByName,
    /** Of all members of a group together. */
    groups: quotasByName,
  }),
  reservations: v.strictObject({
    /** A reservation's longest time from its begin, extensions included. */
    longest_hours: v.optional(hours, 12),
    /** How many a person may have at a time; 0: only administrators may reserve. */
    at_once: v.optional(fromTo(0, 1000), 2),
  }),
  consoles: v.strictObject({
    /** A remote console in which nobody types for so long is closed. */
    idle_minutes: v.optional(fromTo(1, 24 * 60), 10),
  }),
  stock_workers: v.strictObject({
    /** Networks from which an unknown `lava-worker` may register itself without a person's password; none: nobody may. */
    allowed: v.optional(networks, ["127.0.0.0/8", "::1/128"]),
    /** Versions of `lava-worker` that get jobs: `2023.01`, `2023.*`, `*`. */
    versions: v.optional(versionRules, ["2023.01"]),
    /** How often they ask (their `--ping-interval`); one that has not asked three times is Offline. */
    ping_seconds: v.optional(fromTo(1, 3600), 20),
  }),
  access: v.strictObject({
    /** What an object that grants a right to nobody means: everybody has it (LAVA), or only administrators. */
    rule: v.optional(oneOf("closed", "open"), "closed"),
    /** What groups and users may with all of the lab. */
    permissions: v.optional(grantsSchema, {}),
  }),
  sign_in: signInSettingsSchema,
  notices: v.strictObject({
    /** Where messages lead: `https://lab.example.org`. */
    url: v.optional(v.pipe(v.string(), v.regex(/^https?:\/\/[^\s/]+$/, "expected https://HOST"))),
    /** The only hosts that callbacks and webhooks may call; any when there is none. `*`: any characters. */
    only_hosts: v.optional(hostPatterns, []),
    /** Hosts that may be called although their addresses are private. */
    private_hosts: v.optional(hostPatterns, []),
    allow_private: v.optional(v.boolean("expected true or false"), false),
    /** The server that takes mails; without it none is sent. Its password is no setting: docs/notices.md. */
    smtp: v.optional(
      v.strictObject({
        host: hostPattern,
        port: v.optional(fromTo(1, 65_535), 587),
        tls: v.optional(oneOf("tls", "starttls", "none"), "starttls"),
        user: v.optional(v.pipe(v.string(), v.maxLength(200))),
        from: v.pipe(v.string(), v.regex(/^[^\r\n]{1,300}$/, "expected an address")),
      }),
    ),
  }),
  retention: v.strictObject({
    /** What is removed of jobs that ended long ago; nothing when there is no rule (docs/results.md). */
    rules: v.optional(
      v.pipe(v.array(retentionRuleSchema), v.maxLength(50, "expected at most 50 rules")),
      [],
    ),
    /** Before a job or its log is removed it is written to `archive/` of the blobs. */
    archive: v.optional(v.boolean("expected true or false"), false),
  }),
} as const;

export type SettingsSection = keyof typeof SETTINGS_SECTIONS;
/** With every section and every default. */
export type LabSettings = {
  [S in SettingsSection]: v.InferOutput<(typeof SETTINGS_SECTIONS)[S]>;
};
export const SETTINGS_NAMES = Object.keys(SETTINGS_SECTIONS) as SettingsSection[];

export const isSettingsSection = (name: string): name is SettingsSection =>
  Object.hasOwn(SETTINGS_SECTIONS, name);

const optionalSections = Object.fromEntries(
  Object.entries(SETTINGS_SECTIONS).map(([name, schema]) => [name, v.optional(schema)]),
) as { [S in SettingsSection]: v.OptionalSchema<(typeof SETTINGS_SECTIONS)[S], undefined> };

/** Sections that somebody has set. */
export const someSettingsSchema = v.strictObject(optionalSections);
export type SomeSettings = v.InferOutput<typeof someSettingsSchema>;

/** As a section of a lab as code: name of the section of settings to its fields. */
export const labSettingsSchema = v.pipe(
  someSettingsSchema,
  v.transform(
    (sections) => sections as Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ),
);

/** `PUT /api/v1/settings`: a section that is there is replaced, null gives it its defaults, one that is absent stays. */
export const putSettingsSchema = v.strictObject({
  settings: v.strictObject(
    Object.fromEntries(
      Object.entries(SETTINGS_SECTIONS).map(([name, schema]) => [name, v.nullish(schema)]),
    ) as {
      [S in SettingsSection]: v.NullishSchema<(typeof SETTINGS_SECTIONS)[S], undefined>;
    },
  ),
  /** The version that was read; `conflict` when somebody changed them meanwhile. */
  version: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});
export type PutSettings = v.InferOutput<typeof putSettingsSchema>;

/** Answer of both: with every default. */
export const settingsViewSchema = v.object({
  settings: v.object(SETTINGS_SECTIONS),
  /** 0 while nobody has set anything. */
  version: v.number(),
});
export type SettingsView = v.InferOutput<typeof settingsViewSchema>;

/** Of one section, every default. */
export function settingsDefaults<S extends SettingsSection>(section: S): LabSettings[S] {
  return v.parse(SETTINGS_SECTIONS[section], {}) as LabSettings[S];
}

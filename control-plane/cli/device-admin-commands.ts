import type { DeviceView, WorkerView } from "#protocol/api.ts";
import type { EditDevice, EditWorker } from "#protocol/edit-device.ts";
import { sleep } from "./watch.ts";

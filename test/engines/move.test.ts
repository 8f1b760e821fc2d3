import { describe } from "vitest";
import { moveConformance } from "../conformance/move.ts";
import { listeningLab } from "../support/listening-lab.ts";

const embedded = () => listeningLab({}, "embedded");
const aws = () => listeningLab({}, "aws");

describe("from one embedded lab to another", () => {
  moveConformance(embedded, embedded);
});
describe("from an embedded lab to the cloud", () => {
  moveConformance(embedded, aws);
});
describe("from the cloud to an embedded lab", () => {
  moveConformance(aws, embedded);
});
describe("from one cloud to another", () => {
  moveConformance(aws, aws);
});

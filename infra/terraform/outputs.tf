output "url" {
  value       = aws_cloudformation_stack.lab.outputs["Url"]
  description = "Where the lab is."
}

output "outputs" {
  value       = aws_cloudformation_stack.lab.outputs
  description = "All that the template says: TableName, BucketName, AlarmTopic, ..."
}

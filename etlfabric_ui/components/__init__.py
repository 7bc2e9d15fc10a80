"""Pure components: functions of what they are given. None knows a state or a service."""
